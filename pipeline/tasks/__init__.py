"""What is worked on: encode, fit, choose, combine, refit."""
