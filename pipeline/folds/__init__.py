"""Outer and inner splits of the rows."""
