"""Hits of the same class: whether the training rows next to a test row have its class.

A test row asks, the training rows of its fold answer, and those of its class are relevant: so
nothing that folds keep apart (groups, pictures that are nearly the same) can answer itself. Rows
are compared by the cosine of their vectors, in one of two spaces:

- `features`: the rows that the cell's classifier is given (scaled, weighted, side by side), for
  fusions that have such rows. Labels have no part in them, unless an encoder learns from some: they
  tell what pictures, texts or both find by themselves.
- `probabilities`: the classes' probabilities, for all cells whose inner folds have something to
  choose. Those of training rows are of models of the inner folds, which have not learned from them.

Ranks are those of pipeline.metrics.ranks: equal candidates count against the space. A test row
whose class no training row has counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import scipy
from numpy.typing import NDArray

from features.block import FloatArray, unit_rows
from models.classifier import Array
from pipeline.data.rows import Labels
from pipeline.metrics.ranks import Relevance, blocks, ranks_of
from pipeline.metrics.retrieval import (
    RetrievalMetric,
    Values,
    average_precision,
    hit_at,
    precision_at,
)

Space: TypeAlias = Literal["features", "probabilities"]
SPACES: tuple[Space, ...] = get_args(Space)
OF_RANKS: dict[str, RetrievalMetric] = {
    "hit_at_1": RetrievalMetric(hit_at(1)),
    "hit_at_5": RetrievalMetric(hit_at(5)),
    "hit_at_10": RetrievalMetric(hit_at(10)),
    "precision_at_10": RetrievalMetric(precision_at(10)),
    "average_precision": RetrievalMetric(average_precision),
}


def name_of(metric: str, space: Space) -> str:
    """What a grid and a column call a metric in a space."""
    return f"same_class_{metric}_{space}"


# What a grid may name under `extra_metrics`: space and name among OF_RANKS.
EXTRA_METRICS: dict[str, tuple[Space, str]] = {
    name_of(metric, space): (space, metric) for space, metric in product(SPACES, OF_RANKS)
}


def same_class(
    queries: Array, labels: Labels, candidates: Array, known: Labels
) -> dict[str, Values]:
    """Values (q,) of all of OF_RANKS; nan where no candidate has the query's class.

    Scores are computed for a block of queries at a time, and never for all of them.

    Parameters
    ----------
    queries, candidates : dense or CSR (q, k) and (m, k), of any lengths; rows of zeros are equally
        far from all.
    labels, known : codes (q,) and (m,) of their classes.

    Raises
    ------
    ValueError
        For vectors that are not finite.
    """
    asked, answers = _unit(queries), _unit(candidates)
    rows_of = {int(code): np.flatnonzero(known == code) for code in np.unique(known)}
    answered = np.flatnonzero(np.isin(labels, known))
    values = {name: np.full(len(labels), np.nan) for name in OF_RANKS}
    for part in blocks(len(answered), len(known)):
        rows = answered[part]
        relevant = [rows_of[code] for code in labels[rows].tolist()]
        ends = np.cumsum([len(of_class) for of_class in relevant])
        ranked = ranks_of(
            _products(asked[rows], answers), Relevance(np.concatenate(relevant), ends)
        )
        for name, metric in OF_RANKS.items():
            values[name][rows] = metric.function(ranked)
    return values


def mean_values(values: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Mean over the queries that were answered, by metric; nan where none was."""
    known = {name: of_metric[np.isfinite(of_metric)] for name, of_metric in values.items()}
    return {
        name: float(np.mean(of_metric)) if len(of_metric) else float("nan")
        for name, of_metric in known.items()
    }


def _unit(rows: Array) -> Array:
    """Rows (n, k) of norm 1; zeros stay zeros."""
    if not np.isfinite(rows if isinstance(rows, np.ndarray) else rows.data).all():
        raise ValueError("vectors must be finite to be compared")
    if isinstance(rows, np.ndarray):
        return unit_rows(rows)
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1))).ravel()
    lengths = scipy.sparse.diags(1 / np.where(norms > 0, norms, 1))
    return scipy.sparse.csr_matrix(lengths @ rows, dtype=np.float32)


def _products(queries: Array, candidates: Array) -> FloatArray:
    """Cosines float32 (b, m)."""
    products: Any = queries @ candidates.T
    dense = products.toarray() if scipy.sparse.issparse(products) else products
    return np.ascontiguousarray(dense, dtype=np.float32)
