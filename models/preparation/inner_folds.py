"""Folds inside the training rows, for models that hold some of these out themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import Codes, Rows
from models.kept import RECENT


def stratified_folds(
    y: NDArray[Any], count: int, random_state: int, groups: NDArray[Any] | None = None
) -> list[tuple[Rows, Rows]]:
    """(train, held out) rows of at most `count` folds, stratified by class, no group in two.

    Fewer, where the largest class has fewer rows or there are fewer groups; none, where these make
    no two folds.
    """
    codes, sizes = np.unique(y, return_inverse=True, return_counts=True)[1:]
    grouped = None if groups is None else np.unique(groups, return_inverse=True)[1]
    count = min(count, int(sizes.max()), len(y) if grouped is None else int(grouped.max()) + 1)
    if count < 2:
        return []
    # Drawing folds of whole groups takes as long as many a fit: other settings ask for the same
    # ones.
    (held_out,) = RECENT.arrays(
        ("stratified folds", count, random_state, codes, grouped),
        lambda: (_drawn(codes, count, random_state, grouped),),
    )
    return [
        (np.flatnonzero(held_out != fold), np.flatnonzero(held_out == fold))
        for fold in range(count)
    ]


def _drawn(codes: Codes, count: int, random_state: int, groups: Codes | None) -> Rows:
    """The fold (n,) that holds each row out."""
    from models.preparation.group_folds import stratified_splits

    fold_of_row = np.empty(len(codes), np.int64)
    for fold, (_, rows) in enumerate(stratified_splits(codes, count, random_state, groups)):
        fold_of_row[rows] = fold
    return fold_of_row
