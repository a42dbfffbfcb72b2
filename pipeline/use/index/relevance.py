"""Which pairs belong together: those of the same picture or text are right for each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.metrics.ranks import Relevance

Together: TypeAlias = sparse.csr_matrix  # (n, n), not 0 where two pairs share a picture or a text


def together(pictures: Sequence[Any], texts: Sequence[Any]) -> Together:
    """Which of n pairs, by whatever tells their pictures and texts apart, belong together."""
    rows, ones = np.arange(len(pictures)), np.ones(len(pictures))
    tables = [
        sparse.csr_matrix((ones, (rows, np.unique(names, return_inverse=True)[1])))
        for names in (pictures, texts)
    ]
    table = sparse.hstack(tables, format="csr")
    return table @ table.T


def relevance(pairs: Together) -> Relevance:
    """The pairs that are right for each: by its text, and by its picture."""
    queries, candidates = pairs.nonzero()
    return Relevance.of_pairs(queries, candidates, pairs.shape[0])


def parts(pairs: Together, count: int) -> NDArray[np.int64]:
    """A part 0..count-1 for each pair, at random; what belongs together has the same.

    The seed is fixed: the same pairs give the same parts.
    """
    from scipy.sparse.csgraph import connected_components

    number, group = connected_components(pairs, directed=False)
    return np.asarray(np.random.default_rng(0).permutation(number)[group] % count)
