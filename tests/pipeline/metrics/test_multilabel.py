"""Scores of tags against scikit-learn's, and the best threshold against all others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from pipeline.metrics.multilabel import best_threshold, multilabel_scores


@settings(max_examples=50)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 30), labels=st.integers(2, 5))
def test_scores_are_those_of_scikit_learn(seed, n, labels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, (n, labels)).astype(float)
    truth = rng.random((n, labels)) < 0.4
    truth[0] = True  # every label is there
    result = multilabel_scores(scores, truth, 3.0)
    tagged = scores >= 3.0
    assert result.micro_f1 == pytest.approx(f1_score(truth, tagged, average="micro"))
    assert result.macro_f1 == pytest.approx(
        f1_score(truth, tagged, average="macro", zero_division=0)
    )
    assert result.mean_average == pytest.approx(
        average_precision_score(truth, scores, average="macro")
    )


@settings(max_examples=50)
@given(seed=st.integers(0, 10**6))
def test_no_other_threshold_has_a_better_micro_f1(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, (8, 3)).astype(float)
    truth = rng.random((8, 3)) < 0.4
    truth[0, 0] = True

    def micro(threshold: float) -> float:
        return multilabel_scores(scores, truth, threshold).micro_f1

    best = max(micro(value) for value in np.unique(scores))
    assert micro(best_threshold(scores, truth)) == pytest.approx(best)


def test_labels_that_no_item_has_do_not_count():
    truth = np.array([[True, False], [False, False]])
    scores = np.array([[0.9, 0.8], [0.1, 0.9]])
    assert multilabel_scores(scores, truth, 0.5) == (2, 1.0, 0.5, 1.0), "but for false alarms"
    assert np.isnan(multilabel_scores(scores, np.zeros((2, 2), bool), 0.5).mean_average)
