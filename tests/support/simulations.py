"""Simulated comparisons whose truth is known, for tests and benchmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def null_differences(
    data_sets: int,
    folds: int,
    repeats: int,
    rows: int = 100,
    width: int = 10,
    distance: float = 0.35,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Accuracy differences (data_sets, folds * repeats) of two classifiers that are equally good.

    Each data set has two equally frequent classes whose `2 * width` features are normal around
    means that lie `distance` apart in each. Both classifiers take the nearer class mean of their
    training rows, one by the first `width` features, the other by the rest: trained on as many
    rows, neither is better in expectation.
    """
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], rows // 2)
    X = rng.normal(size=(data_sets, rows, 2 * width)) + distance * labels[None, :, None]
    columns = []
    for _ in range(repeats):
        # stratified
        order = np.concatenate([2 * rng.permutation(rows // 2) + side for side in (0, 1)])
        for fold in range(folds):
            test = np.zeros(rows, dtype=bool)
            test[order[fold::folds]] = True
            hits = [
                _hits(X[:, :, part], labels, test) for part in (slice(0, width), slice(width, None))
            ]
            columns.append(hits[0] - hits[1])
    return np.stack(columns, axis=1)


def _hits(
    X: NDArray[np.float64], labels: NDArray[np.int64], test: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Accuracy (data_sets,) of the nearer training mean on the test rows."""
    low, high = (X[:, ~test & (labels == label)].mean(axis=1) for label in (0, 1))
    side = np.einsum("snd,sd->sn", X[:, test] - (low + high)[:, None, :] / 2, high - low)
    return ((side > 0) == labels[test]).mean(axis=1)
