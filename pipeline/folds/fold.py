"""A fold: the rows that are learned from and asked about."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Labels = NDArray[np.int64]
Parts = tuple[Rows, Rows, Rows]  # training rows, test rows, rows to learn from without a label


@dataclass(frozen=True, eq=False)
class Fold:
    """One outer split: sorted row positions, and the inner splits (train, test) of its training rows.

    Parameters
    ----------
    unlabelled : further rows to learn from, without their label: for the outer split, then for each
        inner one. None shares a group with that split's test rows, nor with the outer ones. Empty
        where there are none.
    """

    repeat: int
    fold: int
    train: Rows
    test: Rows
    inner: tuple[tuple[Rows, Rows], ...]
    unlabelled: tuple[Rows, ...] = ()

    def without_rows(self) -> Fold:
        """Only its numbers: as it travels, where its rows are looked up."""
        nothing = np.zeros(0, dtype=np.int64)
        return Fold(self.repeat, self.fold, nothing, nothing, ())

    def splits(self) -> list[Parts]:
        """(train, test, unlabelled) of the outer split, then of each inner one."""
        nothing = np.zeros(0, dtype=np.int64)
        pairs = [(self.train, self.test), *self.inner]
        return [(*pair, self.unlabelled[position] if self.unlabelled else nothing)
                for position, pair in enumerate(pairs)]


def with_unlabelled(fold: Fold, rows: Rows, groups: Rows | None) -> Fold:
    """The fold with rows to learn from without their label: those whose group no test row of the split has."""
    if not len(rows):
        return fold
    outer = _apart(rows, fold.test, groups)
    return replace(
        fold, unlabelled=(outer, *(_apart(outer, test, groups) for _, test in fold.inner))
    )


def _apart(rows: Rows, test: Rows, groups: NDArray[np.int64] | None) -> Rows:
    return (
        rows[~np.isin(rows, test)] if groups is None else rows[~np.isin(groups[rows], groups[test])]
    )
