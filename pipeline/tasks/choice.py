"""Which setting inner folds choose: the best one, or a simple one that may be as good."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.data.rows import Rows
from pipeline.metrics.metric import Metric, Probabilities

Losses = NDArray[np.float64]  # (folds, settings), less is better


def losses_of(
    metric: Metric, labels: Sequence[Rows], predictions: Sequence[Sequence[Probabilities]]
) -> Losses:
    """What each setting loses on each inner fold by the metric: its score, or less its score.

    An inner fold on which the metric is not defined counts for no setting, and is left out; nor
    does a setting that fails it count, whose loss is infinite there.
    """
    scores = np.array([
        [metric(y, probabilities) for probabilities in by_setting]
        for y, by_setting in zip(labels, predictions, strict=True)
    ])
    defined = scores[~np.isnan(scores).all(axis=1)]
    losses = -defined if metric.greater_is_better else defined
    return np.where(np.isfinite(losses), losses, np.inf)


def best_of(losses: Losses) -> int:
    """Position of the setting with the least mean loss (the first of equals)."""
    return int(np.argmin(losses.mean(axis=0))) if len(losses) else 0


def simplest_of(losses: Losses, simple: Sequence[int]) -> int:
    """The best of the simple settings where it is within one standard error of the best of all.

    The one-standard-error rule (Breiman, Friedman, Olshen and Stone 1984, Classification and
    Regression Trees, section 3.4.3), with the standard error of the paired differences of m inner
    folds: mean(d) <= sd(d) / sqrt(m). Otherwise, and where there are no two folds, the best of all.

    Parameters
    ----------
    simple : positions of the simple settings; empty where there are none.
    """
    best, m = best_of(losses), len(losses)
    if not simple or best in simple or m < 2:
        return best
    candidate = simple[best_of(losses[:, simple])]
    with np.errstate(invalid="ignore"):  # a setting that fails a fold is within no error
        differences = losses[:, candidate] - losses[:, best]
        error = differences.std(ddof=1) / np.sqrt(m)
    return candidate if differences.mean() <= error else best


def mean_scores(metric: Metric, losses: Losses) -> list[float | None]:
    """Mean score of each setting over the inner folds; None for one that fails a fold."""
    means = losses.mean(axis=0) if len(losses) else np.zeros(losses.shape[1])
    sign = -1.0 if metric.greater_is_better else 1.0
    return [float(sign * mean) + 0.0 if np.isfinite(mean) else None for mean in means]
