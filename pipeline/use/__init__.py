"""What is done with a cell that won: bundled, asked about new items, shown on a page."""

from pipeline.use.python.comparing import compare

__all__ = ["compare"]
