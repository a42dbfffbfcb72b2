"""Fuzzers: readers are fed what nobody meant to write. `python -m tests.fuzz --seconds 600`."""
