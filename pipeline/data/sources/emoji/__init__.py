"""Drawings of emoji, and their names and groups in Unicode's table."""
