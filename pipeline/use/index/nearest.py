"""Nearest vectors: by exact search, block by block, or among the candidates of inverted lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray
from pipeline.use.index.lists import Lists

BLOCK = 65_536  # vectors that are multiplied at a time
# Recall of approximate search is measured for the first 10 items. Where more than so many are asked
# for, few lists do not hold them: search is exact.
DEEPEST = 100
# Candidates of each comparison for an item of the answer. The best by the mean of two cosines need
# not be among the best by either.
CANDIDATES = 10
LEAST_CANDIDATES = 100


@dataclass(frozen=True, eq=False)
class Comparison:
    """Vectors (n, k) of items in a space, and a question's (k,) there; all of norm 1.

    Parameters
    ----------
    present : bool (n,), which items have the modality.
    weight : how much this comparison counts beside others.
    lists : that find candidates; None where all vectors are to be compared.
    """

    vectors: FloatArray
    present: NDArray[np.bool_]
    question: FloatArray
    weight: float = 1.0
    lists: Lists | None = None


@dataclass(frozen=True, eq=False)
class Ranking:
    """The best items, best first.

    Parameters
    ----------
    rows : (m,).
    scores : (m,) weighted means of the cosines.
    cosines : by the name of each comparison, (m,); NaN where an item lacks the modality.
    by_lists : names of the spaces whose lists gave the candidates; none where search was exact.
    """

    rows: NDArray[np.int64]
    scores: FloatArray
    cosines: Mapping[str, FloatArray]
    by_lists: tuple[str, ...] = ()


def nearest(
    comparisons: Mapping[str, Comparison], count: int, allowed: NDArray[np.bool_] | None = None
) -> Ranking:
    """The `count` items with the highest scores; of equal ones the earlier comes first.

    The score of an item is the mean of its cosines, by weight, over the comparisons whose modality
    it has; an item that has none is never found.

    Where all comparisons have lists, scores are computed of candidates alone, unless more than
    DEEPEST items are asked for, or no more are allowed than lists are made for, or the candidates
    are fewer than the items asked for. So there are `count` items wherever so many may be found.

    Parameters
    ----------
    allowed : bool (n,), which items may be found; None for all.
    """
    parts = list(comparisons.values())
    by_lists = _lists_for(parts, count, allowed)
    if by_lists:
        rows, scores_of_rows = among_candidates(parts, count, allowed)
    if not by_lists or len(rows) < count:
        by_lists = ()
        rows, scores_of_rows = _among_all(parts, count, allowed)
    cosines = {name: _cosines(comparison, rows) for name, comparison in comparisons.items()}
    return Ranking(rows, scores_of_rows, cosines, tuple(lists.space for lists in by_lists))


def _lists_for(
    comparisons: Sequence[Comparison], count: int, allowed: NDArray[np.bool_] | None
) -> tuple[Lists, ...]:
    """The lists that candidates are to come from; none where search is to be exact."""
    lists = tuple(
        comparison.lists for comparison in comparisons if comparison.present.any()
    )
    known = tuple(of_space for of_space in lists if of_space is not None)
    if len(known) < len(lists) or not known or count > DEEPEST:
        return ()
    may_come = len(comparisons[0].vectors) if allowed is None else int(allowed.sum())
    return known if may_come > known[0].above else ()


def among_candidates(
    comparisons: Sequence[Comparison], count: int, allowed: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], FloatArray]:
    """Rows and scores (m,) of the best of the items that the comparisons' lists give."""
    number = max(LEAST_CANDIDATES, CANDIDATES * count)
    rows = np.unique(np.concatenate([
        comparison.lists.candidates(comparison.question, number, allowed)
        for comparison in comparisons
        if comparison.lists is not None
    ]))
    return _finite(rows, scores(comparisons, rows), count)


def _among_all(
    comparisons: Sequence[Comparison], count: int, allowed: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], FloatArray]:
    """Rows and scores (m,) of the best of all items."""
    n = len(comparisons[0].vectors)
    rows, best = np.zeros(0, np.int64), np.zeros(0, np.float32)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        of_block = scores(comparisons, slice(start, stop))
        if allowed is not None:
            of_block[~allowed[start:stop]] = -np.inf
        chosen = _best(of_block, count)
        rows = np.concatenate([rows, start + chosen])
        best = np.concatenate([best, of_block[chosen]])
        chosen = _best(best, count)
        rows, best = rows[chosen], best[chosen]
    return _finite(rows, best, count)


def _finite(
    rows: NDArray[np.int64], scores_of_rows: FloatArray, count: int
) -> tuple[NDArray[np.int64], FloatArray]:
    """The best rows, best first, without those that are not to be found."""
    best = _best(scores_of_rows, count)
    best = best[np.isfinite(scores_of_rows[best])]
    return rows[best], scores_of_rows[best]


def scores(comparisons: Sequence[Comparison], rows: slice | NDArray[np.int64]) -> FloatArray:
    """Weighted mean cosines (b,) of the comparisons that an item takes part in; else -inf.

    For questions (k, q) in place of (k,), scores (b, q).
    """
    weights = np.zeros(len(comparisons[0].present[rows]), np.float32)
    total = np.zeros((*comparisons[0].question.shape[1:], len(weights)), np.float32)
    for comparison in comparisons:
        cosines = np.asarray(comparison.vectors[rows]) @ comparison.question
        total += comparison.weight * cosines.T  # vectors of missing ones are zeros
        weights += comparison.weight * comparison.present[rows]
    means = np.full_like(total, -np.inf)
    np.divide(total, weights, out=means, where=weights > 0)
    return means.T


def _best(scores_of_rows: FloatArray, count: int) -> NDArray[np.int64]:
    """Positions of the highest scores, highest first, of equal ones the earlier first."""
    if len(scores_of_rows) > count:
        least = np.partition(scores_of_rows, len(scores_of_rows) - count)[
            len(scores_of_rows) - count
        ]
        chosen = np.flatnonzero(scores_of_rows >= least)
    else:
        chosen = np.arange(len(scores_of_rows))
    return np.asarray(
        chosen[np.argsort(-scores_of_rows[chosen], kind="stable")][:count], np.int64
    )


def _cosines(comparison: Comparison, rows: NDArray[np.int64]) -> FloatArray:
    vectors = np.asarray(comparison.vectors[rows])
    cosines = vectors @ comparison.question
    return np.where(comparison.present[rows], cosines, np.float32(np.nan))
