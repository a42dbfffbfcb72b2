"""Comparisons of the tests' grids, computed in this process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.config.parse import read_grid
from pipeline.engine.processes import Processes
from pipeline.engine.progress import silence
from pipeline.plan.comparison import Comparison
from pipeline.plan.load import load
from pipeline.store.folder import FolderStore
from pipeline.store.store import Store


def comparison_of(grid: Path, store: Store | None = None, **changes: object) -> Comparison:
    """What a grid file compares, some attributes replaced; by default with the store beside it."""
    store = store or FolderStore(grid.parent / "store")
    comparison = load(read_grid(grid), store, Processes(1), silence, keep=False)
    return replace(comparison, **changes)
