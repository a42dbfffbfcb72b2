"""Nearest vectors by exact search, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray

BLOCK = 65_536  # vectors that are multiplied at a time


@dataclass(frozen=True, eq=False)
class Comparison:
    """Vectors (n, k) of items in a space, and a question's (k,) there; all of norm 1.

    Parameters
    ----------
    present : bool (n,), which items have the modality.
    weight : how much this comparison counts beside others.
    """

    vectors: FloatArray
    present: NDArray[np.bool_]
    question: FloatArray
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Ranking:
    """The best items, best first.

    Parameters
    ----------
    rows : (m,).
    scores : (m,) weighted means of the cosines.
    cosines : by the name of each comparison, (m,); NaN where an item lacks the modality.
    """

    rows: NDArray[np.int64]
    scores: FloatArray
    cosines: Mapping[str, FloatArray]


def nearest(
    comparisons: Mapping[str, Comparison], count: int, allowed: NDArray[np.bool_] | None = None
) -> Ranking:
    """The `count` items with the highest scores; of equal ones the earlier comes first.

    The score of an item is the mean of its cosines, by weight, over the comparisons whose modality
    it has; an item that has none is never found.

    Parameters
    ----------
    allowed : bool (n,), which items may be found; None for all.
    """
    n = len(next(iter(comparisons.values())).vectors)
    rows, scores = np.zeros(0, np.int64), np.zeros(0, np.float32)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        of_block = _scores(list(comparisons.values()), slice(start, stop))
        if allowed is not None:
            of_block[~allowed[start:stop]] = -np.inf
        best = _best(of_block, count)
        rows = np.concatenate([rows, start + best])
        scores = np.concatenate([scores, of_block[best]])
        best = _best(scores, count)
        rows, scores = rows[best], scores[best]
    there = np.isfinite(scores)
    rows, scores = rows[there], scores[there]
    cosines = {name: _cosines(comparison, rows) for name, comparison in comparisons.items()}
    return Ranking(rows, scores, cosines)


def _scores(comparisons: Sequence[Comparison], rows: slice) -> FloatArray:
    """Weighted mean cosines (b,) of the comparisons that an item takes part in; else -inf."""
    total = np.zeros(rows.stop - rows.start, np.float32)
    weights = np.zeros_like(total)
    for comparison in comparisons:
        cosines = np.asarray(comparison.vectors[rows]) @ comparison.question
        total += comparison.weight * cosines  # vectors of missing ones are zeros
        weights += comparison.weight * comparison.present[rows]
    scores = np.full_like(total, -np.inf)
    np.divide(total, weights, out=scores, where=weights > 0)
    return scores


def _best(scores: FloatArray, count: int) -> NDArray[np.int64]:
    """Positions of the highest scores, highest first, of equal ones the earlier first."""
    if len(scores) > count:
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        chosen = np.flatnonzero(scores >= least)
    else:
        chosen = np.arange(len(scores))
    return np.asarray(chosen[np.argsort(-scores[chosen], kind="stable")][:count])


def _cosines(comparison: Comparison, rows: NDArray[np.int64]) -> FloatArray:
    vectors = np.asarray(comparison.vectors[rows])
    cosines = vectors @ comparison.question
    return np.where(comparison.present[rows], cosines, np.float32(np.nan))
