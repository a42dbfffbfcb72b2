"""What an entry must be like, whoever wrote it: fields, layouts, bounds of indices."""
