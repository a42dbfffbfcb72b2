"""A finished run's report, which stands as long as it would be made of the very same."""
