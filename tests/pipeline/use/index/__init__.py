"""Tests of pipeline.use.index."""
