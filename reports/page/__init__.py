"""Templates filled and files put in place."""
