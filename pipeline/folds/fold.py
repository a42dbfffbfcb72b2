"""A fold: the rows that are learned from and asked about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pipeline.data.rows import Groups, Rows


class RowSplit(NamedTuple):
    """Rows to learn from, to ask about, and to learn from without a label."""

    train: Rows
    test: Rows
    unlabelled: Rows


@dataclass(frozen=True, eq=False)
class Fold:
    """An outer split, sorted positions, and the inner splits (train, test) of its training rows.

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

    @property
    def in_words(self) -> str:
        """Which fold it is, counted from 1, in words."""
        return fold_in_words(self.repeat, self.fold)

    def without_rows(self) -> Fold:
        """Only its numbers: as it travels, where its rows are looked up."""
        nothing = np.zeros(0, dtype=np.int64)
        return Fold(self.repeat, self.fold, nothing, nothing, ())

    @property
    def outer(self) -> RowSplit:
        """The outer split."""
        return self.splits()[0]

    def splits(self) -> list[RowSplit]:
        """The outer split, then each inner one."""
        pairs = [(self.train, self.test), *self.inner]
        nothing = np.zeros(0, dtype=np.int64)
        return [
            RowSplit(*pair, self.unlabelled[position] if self.unlabelled else nothing)
            for position, pair in enumerate(pairs)
        ]


def fold_in_words(repeat: int, fold: int) -> str:
    """Which fold it is, in words that count from 1."""
    return f"repeat {repeat + 1}, fold {fold + 1}"


def with_unlabelled(fold: Fold, rows: Rows, groups: Groups | None) -> Fold:
    """The fold with those of the rows to learn from without a label whose group is not tested."""
    if not len(rows):
        return fold
    outer = _apart(rows, fold.test, groups)
    return replace(
        fold, unlabelled=(outer, *(_apart(outer, test, groups) for _, test in fold.inner))
    )


def _apart(rows: Rows, test: Rows, groups: Groups | None) -> Rows:
    if groups is None:
        return rows[~np.isin(rows, test)]
    return rows[~np.isin(groups[rows], groups[test])]
