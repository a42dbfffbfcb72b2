"""Looking after a store: what it holds and how large that is, and clearing what nobody uses."""
