"""What goes wrong when a cell is used."""

from __future__ import annotations

from collections.abc import Mapping


class BundleError(Exception):
    """Why a cell cannot be bundled, or a bundle not be used, in words for whoever asked."""


class ItemError(BundleError, ValueError):
    """Items that cannot be predicted; `problems` has the reason by position, counted from 0."""

    def __init__(self, problems: Mapping[int, str]) -> None:
        super().__init__("\n".join(f"item {at}: {reason}" for at, reason in problems.items()))
        self.problems = dict(problems)
