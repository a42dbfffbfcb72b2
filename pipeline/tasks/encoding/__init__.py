"""Features as pieces of work: what they are, and the tasks that encode them."""
