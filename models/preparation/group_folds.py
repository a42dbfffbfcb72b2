"""Stratified folds, of whole groups drawn faster."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from models.arrays import Rows

RELATIVE, ABSOLUTE = 1e-5, 1e-8  # differences that numpy.isclose takes for none


def stratified_splits(
    labels: NDArray[Any], count: int, random_state: int, groups: NDArray[Any] | None
) -> list[tuple[Rows, Rows]]:
    """(train, test) positions of shuffled folds, stratified by class, no group in two."""
    kind = StratifiedKFold if groups is None else GroupFolds
    splitter = kind(count, shuffle=True, random_state=random_state)
    with warnings.catch_warnings():
        # A class with fewer rows than folds is absent from some: whoever asks knows or says that.
        warnings.simplefilter("ignore", UserWarning)
        return list(splitter.split(labels, labels, groups))


class GroupFolds(StratifiedGroupKFold):  # type: ignore[misc]
    """scikit-learn's folds, row by row, with all folds that a group could join looked at at once.

    scikit-learn looks at them one by one, five to ten calls of NumPy each: of the default grid's
    1,315 training rows in 1,090 groups it draws five folds in .16 s, this in .03
    (``python -m benchmarks.folds``). Where a version of scikit-learn no longer asks this method,
    the folds are the same, and take what they took.
    """

    def _find_best_fold(
        self,
        y_counts_per_fold: NDArray[np.float64],
        y_cnt: NDArray[np.int64],
        group_y_counts: NDArray[np.float64],
    ) -> int:
        """The fold in which a group evens the classes out best; of equals the smallest.

        Parameters
        ----------
        y_counts_per_fold : (k, K) rows of each class in each fold so far.
        y_cnt : (K,) rows of each class.
        group_y_counts : (K,) rows of each class in the group.
        """
        proposed = y_counts_per_fold + np.eye(len(y_counts_per_fold))[:, :, None] * group_y_counts
        unevenness = np.std(proposed / y_cnt, axis=1).mean(axis=1).tolist()
        sizes = y_counts_per_fold.sum(axis=1).tolist()
        best = 0
        for fold in range(1, len(sizes)):
            least = unevenness[best]
            equal = abs(unevenness[fold] - least) <= ABSOLUTE + RELATIVE * abs(least)
            if unevenness[fold] < least or (equal and sizes[fold] < sizes[best]):
                best = fold
        return best
