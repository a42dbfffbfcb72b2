"""How files and folders of rows are written: quotes, numbers, names, class folders."""
