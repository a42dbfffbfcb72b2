"""Simulated comparisons whose truth is known, for tests and benchmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WIDTH = 10  # features of each classifier
DISTANCE = 0.35  # between the class means, in each feature


def null_differences(
    data_sets: int, folds: int, repeats: int, rows: int = 100, seed: int = 0
) -> NDArray[np.float64]:
    """Accuracy differences (data_sets, folds * repeats) of two classifiers that are equally good.

    Each data set has two equally frequent classes whose 2 * WIDTH features are normal around
    means that lie DISTANCE apart in each. Both classifiers take the nearer class mean of their
    training rows, one by the first WIDTH features, the other by the rest: trained on as many
    rows, neither is better in expectation.
    """
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], rows // 2)
    X = rng.normal(size=(data_sets, rows, 2 * WIDTH)) + DISTANCE * labels[None, :, None]
    columns = []
    for _ in range(repeats):
        # stratified
        order = np.concatenate([2 * rng.permutation(rows // 2) + side for side in (0, 1)])
        for fold in range(folds):
            test = np.zeros(rows, dtype=bool)
            test[order[fold::folds]] = True
            first, second = X[:, :, :WIDTH], X[:, :, WIDTH:]
            columns.append(_hits(first, labels, test) - _hits(second, labels, test))
    return np.stack(columns, axis=1)


def _hits(
    X: NDArray[np.float64], labels: NDArray[np.int64], test: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Accuracy (data_sets,) of the nearer training mean on the test rows."""
    low, high = (X[:, ~test & (labels == label)].mean(axis=1) for label in (0, 1))
    side = np.einsum("snd,sd->sn", X[:, test] - (low + high)[:, None, :] / 2, high - low)
    return ((side > 0) == labels[test]).mean(axis=1)
