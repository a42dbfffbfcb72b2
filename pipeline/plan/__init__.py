"""What there is to do, what it needs, its text; and doing it."""
