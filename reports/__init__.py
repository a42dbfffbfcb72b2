"""The report of a run: facts as plain data, then a page and a Markdown file made from them."""
