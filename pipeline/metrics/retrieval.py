"""Metrics of retrieval: functions of the ranks of relevant candidates, a value for each query.

They are those of trec_eval by value (tests compare them), which ranks by documents' names where
scores are equal; here equal candidates count against the space (see pipeline.metrics.ranks).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.ranks import Ranks

Values: TypeAlias = NDArray[np.float64]  # (q,), one for each query
DEPTH = 10  # of nDCG


@dataclass(frozen=True)
class RetrievalMetric:
    """A score of ranked candidates.

    Parameters
    ----------
    function : Ranks of q queries -> values float64 (q,).
    greater_is_better : False for ranks.
    unit : "share" of 1, or "rank".
    centre : what is reported of the queries' values: their mean, or their median.
    rope : differences of at most this size do not matter, unless the grid says otherwise.
    version : raised whenever the function changes, for it may choose parameters.
    """

    function: Callable[[Ranks], Values]
    greater_is_better: bool = True
    unit: Literal["share", "rank"] = "share"
    centre: Literal["mean", "median"] = "mean"
    rope: float = 0.01
    version: int = 1

    def __call__(self, ranks: Ranks) -> float:
        """The score over all queries."""
        values = self.function(ranks)
        return float(np.median(values) if self.centre == "median" else np.mean(values))


def hit_at(k: int) -> Callable[[Ranks], Values]:
    """1 for a query with any relevant candidate among its k best, else 0.

    Papers on pictures and sentences call it R@k (Hodosh, Young and Hockenmaier 2013).
    """

    def hits(ranks: Ranks) -> Values:
        """Whether any relevant candidate is among the k best."""
        return np.asarray(ranks.first <= k, dtype=np.float64)

    return hits


def recall_at(k: int) -> Callable[[Ranks], Values]:
    """Share of a query's relevant candidates that are among its k best.

    With five relevant ones recall at 1 is .2 at most: it is no hit rate.
    """

    def recalls(ranks: Ranks) -> Values:
        """Share of the relevant candidates that are among the k best."""
        return ranks.sums((ranks.ranks <= k).astype(np.float64)) / ranks.sizes

    return recalls


def precision_at(k: int) -> Callable[[Ranks], Values]:
    """Share of a query's k best candidates that are relevant; of fewer candidates, as of k."""

    def precisions(ranks: Ranks) -> Values:
        """Share of the k best candidates that are relevant."""
        return ranks.sums((ranks.ranks <= k).astype(np.float64)) / k

    return precisions


def first_rank(ranks: Ranks) -> Values:
    """Rank of the best relevant candidate, from 1."""
    return ranks.first.astype(np.float64)


def reciprocal_rank(ranks: Ranks) -> Values:
    """1 / rank of the best relevant candidate (Voorhees 1999)."""
    return np.asarray(1.0 / ranks.first)


def average_precision(ranks: Ranks) -> Values:
    """Mean over the relevant candidates of the precision at their ranks: (1/R) sum_j j / rank_j."""
    return ranks.sums(ranks.position() / ranks.ranks) / ranks.sizes


def ndcg(ranks: Ranks) -> Values:
    """Normalised discounted cumulative gain at 10 (Järvelin and Kekäläinen 2002).

    sum over the relevant candidates at ranks up to 10 of 1 / log2(1 + rank), divided by the same of
    an order that has all of them first.
    """
    gains = np.where(ranks.ranks <= DEPTH, 1.0 / np.log2(1.0 + ranks.ranks), 0.0)
    ideal = np.cumsum(1.0 / np.log2(1.0 + np.arange(1, DEPTH + 1)))
    return np.asarray(ranks.sums(gains) / ideal[np.minimum(ranks.sizes, DEPTH) - 1])


def chance_of_hit(ranks: Ranks, k: int) -> float:
    """Mean hit at k of m candidates in random order, R of them relevant.

    1 - C(m - R, k) / C(m, k), the hypergeometric chance of one at least.
    """
    m, sizes = ranks.candidates, ranks.sizes.astype(np.float64)
    drawn = np.arange(min(k, m), dtype=np.float64)
    missed = np.maximum(m - sizes[:, None] - drawn, 0.0) / (m - drawn)
    return float(np.mean(1.0 - missed.prod(axis=1)))


RETRIEVAL_METRICS: dict[str, RetrievalMetric] = {
    "hit_at_1": RetrievalMetric(hit_at(1)),
    "hit_at_5": RetrievalMetric(hit_at(5)),
    "hit_at_10": RetrievalMetric(hit_at(10)),
    "recall_at_1": RetrievalMetric(recall_at(1)),
    "recall_at_5": RetrievalMetric(recall_at(5)),
    "recall_at_10": RetrievalMetric(recall_at(10)),
    "median_rank": RetrievalMetric(
        first_rank, greater_is_better=False, unit="rank", centre="median", rope=0.5
    ),
    "reciprocal_rank": RetrievalMetric(reciprocal_rank),
    "average_precision": RetrievalMetric(average_precision),
    "ndcg_at_10": RetrievalMetric(ndcg),
}
