"""A mistake in a grid file, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]  # keys and positions, like ("text", 1, "tfidf")


@dataclass(frozen=True)
class Problem:
    """One mistake in the grid: where, and which rule it breaks (and the value)."""

    path: KeyPath
    rule: str
