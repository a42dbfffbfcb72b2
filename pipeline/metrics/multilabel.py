"""Scores of tags: several labels an item, each there or not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Truth = NDArray[np.bool_]


class MultilabelScores(NamedTuple):
    """How well tags of n items were found.

    Parameters
    ----------
    mean_average : mean over the labels of the average precision of their scores (mAP); labels that
        no item has do not count.
    micro_f1 : F1 of all items and labels together.
    macro_f1 : mean of the labels' F1; labels that no item has do not count.
    """

    items: int
    mean_average: float
    micro_f1: float
    macro_f1: float


def multilabel_scores(scores: NDArray[Any], truth: Truth, threshold: float) -> MultilabelScores:
    """Of scores (n, K), which from the threshold on are tags, against the truth (n, K)."""
    from sklearn.metrics import average_precision_score

    there = truth.any(axis=0)
    if not there.any():
        return MultilabelScores(len(truth), float("nan"), float("nan"), float("nan"))
    tagged = scores >= threshold
    hits = (tagged & truth).sum(axis=0)
    totals = tagged.sum(axis=0) + truth.sum(axis=0)
    of_labels = 2 * hits[there] / totals[there]
    return MultilabelScores(
        len(truth),
        float(average_precision_score(truth[:, there], scores[:, there], average="macro")),
        float(2 * hits.sum() / totals.sum()),
        float(of_labels.mean()),
    )


def best_threshold(scores: NDArray[Any], truth: Truth) -> float:
    """The threshold of scores (n, K) with the best micro F1; of equal ones the highest.

    Every score is tried: with the scores in falling order, the i-th threshold makes i tags, of
    which the cumulative sum of the truth are right.
    """
    flat = scores.ravel()
    order = np.argsort(-flat, kind="stable")
    hits = np.cumsum(truth.ravel()[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + truth.sum())
    # equal scores are tags together: only the last of them is a threshold
    values = flat[order]
    f1[:-1][values[:-1] == values[1:]] = -1.0
    return float(values[int(np.argmax(f1))])
