"""What is done with a cell that won: bundled, asked about new items, shown on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.use.python.comparing import compare

__all__ = ["compare"]


def __getattr__(name: str) -> Any:
    """`compare`, imported where it is asked for: commands that use a bundle have no use for it."""
    if name != "compare":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipeline.use.python.comparing import compare

    return compare
