"""The answer: one comparison that was fixed before the run, judged by one rule for each answer."""
