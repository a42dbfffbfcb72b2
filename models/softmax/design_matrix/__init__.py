"""The rows of all training sets: in other axes, in groups, in memory or in a file; and products."""
