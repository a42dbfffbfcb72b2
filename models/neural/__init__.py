"""Fusions that are networks."""
