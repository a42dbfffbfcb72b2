"""How far a run has come: its state, what time is left, and what a terminal or a log is shown."""
