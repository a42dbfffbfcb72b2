"""Scores, the record, the files of the run folder."""
