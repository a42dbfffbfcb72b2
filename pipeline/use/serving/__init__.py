"""A bundle behind HTTP: a page for people, an API for programs, limits for both."""
