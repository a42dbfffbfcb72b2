"""Encoders, one file a grid name."""
