"""What every metric must do: a function for each rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.metric import Metric
from pipeline.metrics.ranks import Ranks
from pipeline.metrics.retrieval import RetrievalMetric

AnyMetric = Metric | RetrievalMetric


def predictions(
    seed: int, n: int = 60, classes: int = 4
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels (n,) of all classes, and probabilities (n, K) that know nothing of them."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    return labels, rng.dirichlet(np.ones(classes), n)


def right_predictions_are_the_best(metric: AnyMetric) -> None:
    """The right predictions score better than random ones, in the direction that it says."""
    if isinstance(metric, RetrievalMetric):
        better, worse = metric(_ranked(1)), metric(_ranked(100))
    else:
        labels, probabilities = predictions(0)
        right = np.full_like(probabilities, 0.01)
        right[np.arange(len(labels)), labels] = 0.97
        better, worse = metric(labels, right), metric(labels, probabilities)
    assert better > worse if metric.greater_is_better else better < worse


def gives_a_number_whatever_classes_occur(metric: AnyMetric) -> None:
    """A class that no test row has does no harm; a score is a finite number."""
    if isinstance(metric, RetrievalMetric):
        values = metric.function(_ranked(3))
        assert values.shape == (5,)
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
        return
    labels, probabilities = predictions(1)
    labels[labels == 3] = 0
    assert isinstance(metric.function(labels, probabilities), float)
    assert np.isfinite(metric(labels, probabilities))


def the_order_of_rows_does_not_matter(metric: AnyMetric) -> None:
    """The order of the rows does not matter, and they are left as they are."""
    if isinstance(metric, RetrievalMetric):
        return
    labels, probabilities = predictions(2)
    before = labels.copy(), probabilities.copy()
    score = metric(labels, probabilities)
    order = np.random.default_rng(0).permutation(len(labels))
    assert abs(metric(labels[order], probabilities[order]) - score) < 1e-9
    np.testing.assert_array_equal(labels, before[0])
    np.testing.assert_array_equal(probabilities, before[1])


def _ranked(rank: int) -> Ranks:
    """Five queries among 100 candidates with one relevant one each, at that rank."""
    return Ranks(np.full(5, rank), np.arange(1, 6), 100, np.zeros((5, 0), dtype=np.int64))


CHECKS: tuple[Callable[[Any], None], ...] = (
    right_predictions_are_the_best,
    gives_a_number_whatever_classes_occur,
    the_order_of_rows_does_not_matter,
)
