"""Texts: language, tokens, word vectors, weights."""
