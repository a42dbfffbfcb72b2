"""The report of a run of retrieval: its answer, and a file for each section."""
