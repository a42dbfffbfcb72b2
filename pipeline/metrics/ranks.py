"""Where the relevant candidates of each query stand, computed block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray, IntArray

# Relevant candidates of a query up to which each is compared with all scores; of more, the scores
# are sorted: 1,000 queries of 8,000 candidates, 800 of them relevant, take 5.2 s of the processor
# by comparing and 0.25 s by sorting; with 8 relevant ones both take the same (benchmarks.ranks).
FEW = 16
# Scores that are in memory at once: 64 MB. A block of queries has as many rows as that allows.
SCORES_AT_ONCE = 2**24


@dataclass(frozen=True, eq=False)
class Relevance:
    """Which candidates are relevant for which of q queries, any number for each query.

    Parameters
    ----------
    candidates : int64 (r,), positions of the relevant candidates, query after query.
    ends : int64 (q,), where those of each query end: r_i = ends_i - ends_(i-1) of them.
    """

    candidates: IntArray
    ends: IntArray

    @classmethod
    def of_pairs(cls, queries: IntArray, candidates: IntArray, count: int) -> Relevance:
        """Relevance by pairs (p,) of a query, 0 to `count` - 1, and a candidate.

        A pair that stands twice counts once.
        """
        pairs = np.unique(np.stack([queries, candidates], axis=1), axis=0)
        sizes = np.bincount(pairs[:, 0], minlength=count)
        return cls(pairs[:, 1].astype(np.int64), np.cumsum(sizes).astype(np.int64))

    @property
    def sizes(self) -> IntArray:
        """Relevant candidates of each query, int64 (q,)."""
        return np.diff(self.ends, prepend=0)

    @property
    def starts(self) -> IntArray:
        """Where the candidates of each query begin, int64 (q,)."""
        starts: IntArray = self.ends - self.sizes
        return starts

    @property
    def queries(self) -> IntArray:
        """The query of each relevant candidate, int64 (r,)."""
        return np.repeat(np.arange(len(self.ends)), self.sizes)

    def __len__(self) -> int:
        return len(self.ends)


@dataclass(frozen=True, eq=False)
class Ranks:
    """The ranks of the relevant candidates of q queries: all that a metric of retrieval needs.

    Parameters
    ----------
    ranks : int64 (r,), from 1, query after query and rising within each.
    ends : int64 (q,), where those of each query end.
    candidates : among how many.
    nearest : int64 (q, m), the m best candidates of each query, best first.
    """

    ranks: IntArray
    ends: IntArray
    candidates: int
    nearest: IntArray

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def sizes(self) -> IntArray:
        """Relevant candidates of each query, int64 (q,)."""
        return np.diff(self.ends, prepend=0)

    @property
    def first(self) -> IntArray:
        """Rank of the best relevant candidate of each query, int64 (q,)."""
        first: IntArray = self.ranks[self.ends - self.sizes]
        return first

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums (q,) over each query's relevant candidates of values (r,)."""
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[self.ends] - total[self.ends - self.sizes])

    def position(self) -> IntArray:
        """Each relevant candidate's position among those of its query, int64 (r,) from 1."""
        starts = np.repeat(self.ends - self.sizes, self.sizes)
        return np.arange(1, len(self.ranks) + 1) - starts


def ranks(
    queries: FloatArray, candidates: FloatArray, relevance: Relevance, nearest: int = 0
) -> Ranks:
    """Rank the candidates of each query by their product with it.

    A relevant candidate stands behind all others of the same score, so that a space that puts
    everything at one point finds nothing by it; equal relevant ones come one after the other.
    Scores are computed for a block of queries at a time, and never for all of them.

    Parameters
    ----------
    queries, candidates : float32 (q, k) and (m, k).
    relevance : of the queries, one candidate at least for each.
    nearest : how many of the best candidates of each query to note; equal ones in their order.

    Raises
    ------
    ValueError
        For a query without a relevant candidate, or points that are not finite.
    """
    _check(queries, candidates, relevance)
    noted = min(nearest, len(candidates))
    rank_of = np.zeros(len(relevance.candidates), dtype=np.int64)
    best = np.zeros((len(queries), noted), dtype=np.int64)
    starts = relevance.starts
    for rows in blocks(len(queries), len(candidates)):
        scores = queries[rows] @ candidates.T
        part = slice(int(starts[rows.start]), int(relevance.ends[rows.stop - 1]))
        of_block = Relevance(
            relevance.candidates[part], relevance.ends[rows] - starts[rows.start]
        )
        rank_of[part] = _ranks_in(scores, of_block)
        best[rows] = _best_in(scores, noted)
    return Ranks(rank_of, relevance.ends, len(candidates), best)


def ranks_of(scores: FloatArray, relevance: Relevance) -> Ranks:
    """The same by scores (q, m) that are there already; no nearest candidates are noted."""
    nearest = np.zeros((len(relevance), 0), dtype=np.int64)
    return Ranks(_ranks_in(scores, relevance), relevance.ends, scores.shape[1], nearest)


def blocks(queries: int, candidates: int) -> Iterator[slice]:
    """Rows of the queries that are scored together."""
    step = max(1, SCORES_AT_ONCE // max(candidates, 1))
    for start in range(0, queries, step):
        yield slice(start, min(start + step, queries))


def _check(queries: FloatArray, candidates: FloatArray, relevance: Relevance) -> None:
    if len(relevance) != len(queries):
        raise ValueError(f"relevance is of {len(relevance)} queries, and there are {len(queries)}")
    if np.any(relevance.sizes < 1):
        missing = int(np.argmin(relevance.sizes))
        raise ValueError(f"query {missing} has no relevant candidate, so it cannot be scored")
    if not (np.isfinite(queries).all() and np.isfinite(candidates).all()):
        raise ValueError("queries and candidates must be finite to be ranked")


def _ranks_in(scores: FloatArray, relevance: Relevance) -> IntArray:
    """Ranks (r,) of the relevant candidates in scores (b, m), rising within each query."""
    rows, sizes = relevance.queries, relevance.sizes
    relevant = scores[rows, relevance.candidates]
    relevant = relevant[np.lexsort((-relevant, rows))]  # those of each query, best first
    position = np.arange(len(relevant)) - np.repeat(relevance.starts, sizes)
    if sizes.max(initial=0) > FEW:
        at_least = _at_least_by_sorting(scores, relevant, relevance)
    else:
        at_least = _at_least_by_comparing(scores, relevant, rows, position)
    return at_least - _relevant_at_least(relevant, rows, position) + position + 1


def _at_least_by_comparing(
    scores: FloatArray, relevant: FloatArray, rows: IntArray, position: IntArray
) -> IntArray:
    """How many candidates score as much as each relevant one (r,): one comparison of all for each.

    With the few of pairs, sorting takes several times as long.
    """
    at_least = np.zeros(len(relevant), dtype=np.int64)
    for number in range(int(position.max(initial=-1)) + 1):
        chosen = np.flatnonzero(position == number)
        at_least[chosen] = (scores[rows[chosen]] >= relevant[chosen, None]).sum(axis=1)
    return at_least


def _at_least_by_sorting(
    scores: FloatArray, relevant: FloatArray, relevance: Relevance
) -> IntArray:
    """The same, by looking each relevant score up among the sorted ones of its query."""
    at_least = np.zeros(len(relevant), dtype=np.int64)
    starts = relevance.starts
    for of_query, start, end in zip(
        np.sort(scores, axis=1), starts.tolist(), relevance.ends.tolist(), strict=True
    ):
        at_least[start:end] = len(of_query) - np.searchsorted(of_query, relevant[start:end])
    return at_least


def _relevant_at_least(relevant: FloatArray, rows: IntArray, position: IntArray) -> IntArray:
    """How many relevant candidates of its query score as much as each one (r,), best first."""
    # The last of equals has its position among all that score as much or more.
    last = np.append((relevant[1:] != relevant[:-1]) | (rows[1:] != rows[:-1]), True)
    ends = np.flatnonzero(last)
    return position[ends][np.searchsorted(ends, np.arange(len(relevant)))] + 1


def _best_in(scores: FloatArray, count: int) -> IntArray:
    """The best candidates (b, count) of scores (b, m), best first, equal ones in their order."""
    if not count:
        return np.zeros((len(scores), 0), dtype=np.int64)
    if count < scores.shape[1]:
        # -partition is not stable: whoever scores as much as the last one may stand for it.
        chosen = np.sort(np.argpartition(-scores, count - 1, axis=1)[:, :count], axis=1)
    else:
        chosen = np.tile(np.arange(scores.shape[1]), (len(scores), 1))
    order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(chosen, order, axis=1), dtype=np.int64)
