"""What is worked on: encode, fit, choose, combine, refit; and the keys of what comes of it."""
