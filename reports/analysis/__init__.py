"""Statistics, the answer, checks: what a record shows."""
