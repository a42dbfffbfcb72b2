"""pyarrow, imported when it is first used: sources that read no table, and grids, do without.

Its names are this module's: `arrow.table`, `arrow.compute.greater`. To import it takes .07 of the
second that a cached run takes (benchmarks.start).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

PARTS = frozenset({"compute", "csv", "parquet"})


def __getattr__(name: str) -> Any:
    if name in PARTS:
        return import_module(f"pyarrow.{name}")
    return getattr(import_module("pyarrow"), name)
