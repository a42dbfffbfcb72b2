"""What a bundle must be like, whoever wrote it."""
