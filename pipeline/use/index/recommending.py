"""Items like others: by picture, text or both, without their own group, and varied if asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray
from pipeline.use.index.index import Hits, Index, Wish
from pipeline.use.index.nearest import Comparison, Ranking, nearest
from pipeline.use.index.question import Term
from pipeline.use.index.spaces import Space
from pipeline.use.problem import BundleError

CANDIDATES = 10  # for each item that is asked for, so many are looked at where they shall vary


@dataclass(frozen=True)
class Liked:
    """Items that others shall be like.

    Parameters
    ----------
    items : ids with the weight of each.
    new : a picture, a text or both of an item that is not in the index.
    """

    items: Mapping[str, float]
    new: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Variety:
    """How recommended items shall differ.

    Parameters
    ----------
    apart : a column: no item with a value of the liked ones is recommended.
    diversity : d in (1 - d) score - d (largest similarity to an item before it).
    """

    apart: str | None = None
    diversity: float = 0.0


def recommend(
    index: Index, liked: Liked, wish: Wish, variety: Variety | None = None
) -> Hits:
    """The items that are most like those liked, which are left out, best first.

    A modality's vectors are compared in its own space: of several items, with their weighted mean.
    With `diversity` items are chosen one by one by maximal marginal relevance (Carbonell and
    Goldstein, The use of MMR, 1998).

    Raises
    ------
    BundleError
        For ids and columns that are not there, and where there is nothing to compare.
    """
    variety = variety or Variety()
    rows = np.array([index.row_of(name) for name in liked.items], np.int64)
    allowed = _others(index, rows, wish, variety.apart)
    comparisons = _comparisons(index, liked, rows, wish)
    if not comparisons:
        raise BundleError("the items have neither a picture nor a text to compare by")
    count = wish.count * (CANDIDATES if variety.diversity else 1)
    ranking = nearest(comparisons, count, allowed)
    if variety.diversity:
        ranking = _varied(ranking, comparisons, wish.count, variety.diversity)
    return index.hits(ranking)


def _others(
    index: Index, rows: NDArray[np.int64], wish: Wish, apart: str | None
) -> NDArray[np.bool_]:
    """Bool (n,): which items may be recommended."""
    allowed = index.allowed(wish.where)
    if allowed is None:
        allowed = np.ones(len(index), np.bool_)
    allowed[rows] = False
    if apart is not None:
        values = index.column(apart)
        liked = {values[row] for row in rows.tolist() if values[row] is not None}
        allowed &= np.array([value not in liked for value in values])
    return allowed


def _comparisons(
    index: Index, liked: Liked, rows: NDArray[np.int64], wish: Wish
) -> dict[str, Comparison]:
    weights = np.array(list(liked.items.values()), np.float32)
    comparisons = {}
    for name, modality in index.compared(wish.by).items():
        space = Space(modality, shared=False)
        if space not in index.files.vectors:
            continue
        total = weights @ np.asarray(index.files.vectors[space][rows])
        for term in liked.new:
            if term.modality == modality:
                total = total + index.files.spaces.vectors(modality, [term.content])[space][0]
        if total.any():
            comparisons[name] = index.comparison(space, total, wish)
    return comparisons


def _varied(
    ranking: Ranking, comparisons: Mapping[str, Comparison], count: int, diversity: float
) -> Ranking:
    """Some of the ranked items, each unlike those before it."""
    similar = _similarities(ranking.rows, list(comparisons.values()))
    chosen: list[int] = []
    left = list(range(len(ranking.rows)))
    while left and len(chosen) < count:
        nearness = similar[np.ix_(left, chosen)].max(axis=1) if chosen else np.zeros(len(left))
        marginal = (1 - diversity) * ranking.scores[left] - diversity * nearness
        chosen.append(left.pop(int(marginal.argmax())))
    cosines = {name: values[chosen] for name, values in ranking.cosines.items()}
    return replace(
        ranking, rows=ranking.rows[chosen], scores=ranking.scores[chosen], cosines=cosines
    )


def _similarities(rows: NDArray[np.int64], comparisons: Sequence[Comparison]) -> FloatArray:
    """Mean cosines (m, m) of items with each other, by weight, over what both have."""
    total, weights = np.zeros((len(rows), len(rows)), np.float32), np.zeros((), np.float32)
    for comparison in comparisons:
        vectors = np.asarray(comparison.vectors[rows])
        present = comparison.present[rows]
        total += comparison.weight * (vectors @ vectors.T)
        weights = weights + comparison.weight * np.outer(present, present)
    return np.divide(total, weights, out=np.zeros_like(total), where=weights > 0)
