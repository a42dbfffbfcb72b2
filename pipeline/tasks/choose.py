"""The choice of a setting on the inner folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from features.block import Block, Modality
from pipeline.data.rows import Rows
from pipeline.metrics import METRICS
from pipeline.metrics.metric import Metric, Probabilities
from pipeline.tasks.context import Context
from pipeline.tasks.unit import Unit
from pipeline.tasks.views import aligned, averaged, fit_of


def choose(
    unit: Unit, context: Context, blocks: Mapping[Modality, Sequence[Block]]
) -> tuple[Mapping[str, Any], list[float | None], Probabilities]:
    """The setting with the best mean score over the inner folds (the first of equals).

    Also all mean scores, and the chosen setting's predictions for the training rows (n_train, K),
    each by the fold that left it out; (0, K) without inner folds.
    """
    inner = unit.fold.inner
    if not inner:
        return unit.settings[0], [], np.zeros((0, context.classes))
    tests = [test for _, test in inner]
    predictions = _predictions(unit, context, blocks)
    labels = [context.labels[test] for test in tests]
    best, means = _best(METRICS[context.tuning_metric], labels, predictions)
    left_out = np.zeros((len(unit.fold.train), context.classes))
    for test, by_setting in zip(tests, predictions, strict=True):
        left_out[np.searchsorted(unit.fold.train, test)] = by_setting[best]
    return unit.settings[best], means if len(unit.settings) > 1 else [], left_out


def _predictions(
    unit: Unit, context: Context, blocks: Mapping[Modality, Sequence[Block]]
) -> list[list[Probabilities]]:
    """Of each inner fold, under each setting: (n_test, K)."""
    fits = [fit_of(unit, number, blocks, context) for number in range(1, len(unit.fold.inner) + 1)]
    answers = unit.estimator.predict_many(fits, unit.settings)
    predictions = []
    for (_, test), fit, by_setting in zip(unit.fold.inner, fits, answers, strict=True):
        columns = unit.estimator.classes_of(fit)
        predictions.append([
            averaged(aligned(probabilities, columns, context.classes), len(test))
            for probabilities in by_setting
        ])
    return predictions


def _best(
    metric: Metric, labels: Sequence[Rows], predictions: Sequence[Sequence[Probabilities]]
) -> tuple[int, list[float | None]]:
    """Position of the setting with the best mean score over inner folds, and all mean scores."""
    scores = np.array([
        [metric(y, probabilities) for probabilities in by_setting]
        for y, by_setting in zip(labels, predictions, strict=True)
    ])
    # An inner fold on which the metric is not defined counts for no setting; nor does a setting
    # that fails it.
    defined = scores[~np.isnan(scores).all(axis=1)]
    means = defined.mean(axis=0) if len(defined) else np.zeros(scores.shape[1])
    worst = -np.inf if metric.greater_is_better else np.inf
    means = np.where(np.isfinite(means), means, worst)
    best = int(np.argmax(means if metric.greater_is_better else -means))
    return best, [float(score) if np.isfinite(score) else None for score in means]
