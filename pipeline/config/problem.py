"""A mistake in a grid file, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One mistake in the grid: where, and which rule it breaks (with the value and the nearest valid one)."""

    path: Place
    rule: str
