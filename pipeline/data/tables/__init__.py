"""How files of rows write their values: quotes, numbers."""
