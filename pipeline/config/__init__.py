"""The grid file: YAML to a typed grid and its cells, all mistakes at once."""
