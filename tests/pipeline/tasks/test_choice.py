"""Which setting the inner folds choose: the best, or a simple one within its standard error."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.metrics import METRICS
from pipeline.tasks.choice import best_of, losses_of, mean_scores, simplest_of

# Three inner folds, three settings: the second is the best on average.
LOSSES = np.array([[0.50, 0.40, 0.70], [0.40, 0.42, 0.60], [0.45, 0.40, 0.65]])


def test_a_simple_setting_is_chosen_within_one_standard_error_of_the_best_and_no_further():
    differences = LOSSES[:, 0] - LOSSES[:, 1]  # .10, -.02, .05
    error = differences.std(ddof=1) / np.sqrt(3)
    assert best_of(LOSSES) == 1
    assert differences.mean() > error
    assert simplest_of(LOSSES, [0, 2]) == 1
    nearer = LOSSES.copy()
    nearer[:, 0] -= differences.mean() - 0.99 * error
    assert best_of(nearer) == 1
    assert simplest_of(nearer, [0, 2]) == 0
    assert simplest_of(nearer, [2]) == 1  # always as much worse


def test_without_simple_settings_or_two_folds_it_is_the_best():
    assert simplest_of(LOSSES, []) == 1
    assert simplest_of(LOSSES[:1], [0]) == 1
    assert simplest_of(LOSSES, [1, 2]) == 1
    assert simplest_of(np.zeros((0, 3)), [2]) == 0


@pytest.mark.parametrize("name", ["log_loss", "balanced_accuracy"])
def test_scores_and_losses_of_a_metric(name):
    metric = METRICS[name]
    labels = [np.array([0, 1, 1]), np.array([0, 1, 0])]
    sure = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    even = np.full((3, 2), 0.5)
    losses = losses_of(metric, labels, [[sure, even], [sure, even]])
    scores = np.array([[metric(y, p) for p in (sure, even)] for y in labels])
    np.testing.assert_array_equal(losses, -scores if metric.greater_is_better else scores)
    assert mean_scores(metric, losses) == pytest.approx(list(scores.mean(axis=0)))


def test_a_setting_that_fails_a_fold_is_never_chosen(monkeypatch):
    failing = LOSSES.copy()
    failing[0, 0] = np.inf
    assert simplest_of(failing, [0]) == 1
    assert mean_scores(METRICS["log_loss"], failing)[0] is None
    everywhere = np.full((3, 2), np.inf)
    assert simplest_of(everywhere, [1]) == 0
