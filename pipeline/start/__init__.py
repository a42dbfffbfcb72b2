"""A first grid for rows that nobody has described: what columns hold, by rules that say why."""
