"""Folds inside the training rows, for models that hold some of these out themselves."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def stratified_folds(
    y: NDArray[Any], count: int, random_state: int, groups: NDArray[Any] | None = None
) -> list[tuple[Rows, Rows]]:
    """(train, held out) rows of at most `count` folds, stratified by class, groups (n,) never in two.

    Fewer, where the largest class has fewer rows or there are fewer groups; none, where these make no two folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    count = min(count, int(np.unique(y, return_counts=True)[1].max()), len(y if groups is None else np.unique(groups)))
    if count < 2:
        return []
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    with warnings.catch_warnings():
        # A class with fewer rows than folds is absent from some: nothing is learned of it there.
        warnings.simplefilter("ignore", UserWarning)
        return list(kind(count, shuffle=True, random_state=random_state).split(y, y, groups))
