"""Doing work: tasks, what runs them and where; memory, progress, attempts."""
