"""Doing work: processes, memory, progress, attempts."""
