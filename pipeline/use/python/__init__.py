"""What is asked from Python: of bundles, and of tables in memory."""
