"""Items to predict or to index: rows of tables, and pictures of folders."""
