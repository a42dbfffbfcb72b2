"""Metrics against scikit-learn's, and where that has none to give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from pipeline.metrics import METRICS
from pipeline.metrics.retrieval import RETRIEVAL_METRICS
from pipeline.testing.metrics import CHECKS, predictions

EXPECTED = {
    "accuracy": lambda y, p: reference.accuracy_score(y, p.argmax(1)),
    "balanced_accuracy": lambda y, p: reference.balanced_accuracy_score(y, p.argmax(1)),
    "precision_macro": lambda y, p: reference.precision_score(
        y, p.argmax(1), average="macro", zero_division=0
    ),
    "recall_macro": lambda y, p: reference.recall_score(
        y, p.argmax(1), average="macro", zero_division=0
    ),
    "f1_macro": lambda y, p: reference.f1_score(y, p.argmax(1), average="macro", zero_division=0),
    "log_loss": reference.log_loss,
    "roc_auc": lambda y, p: reference.roc_auc_score(y, p, multi_class="ovr", average="macro"),
}


def test_every_metric_has_a_reference():
    assert set(EXPECTED) == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_a_metric_is_what_it_says(name, seed):
    labels, probabilities = predictions(seed)
    assert METRICS[name](labels, probabilities) == pytest.approx(
        EXPECTED[name](labels, probabilities), abs=1e-12
    )


@pytest.mark.parametrize("name", METRICS)
def test_ties_are_shared(name):
    labels, probabilities = predictions(2)
    coarse = np.round(probabilities, 1) + 0.01
    coarse /= coarse.sum(axis=1, keepdims=True)
    assert METRICS[name](labels, coarse) == pytest.approx(EXPECTED[name](labels, coarse), abs=1e-12)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", [*METRICS, *RETRIEVAL_METRICS])
def test_contract(name, check):
    check({**METRICS, **RETRIEVAL_METRICS}[name])


def test_an_area_under_the_curve_of_one_class_is_not_defined():
    assert np.isnan(METRICS["roc_auc"](np.zeros(5, dtype=int), np.full((5, 2), 0.5)))


def test_a_probability_of_zero_for_the_truth_costs_much_but_not_everything():
    assert METRICS["log_loss"](np.array([0]), np.array([[0.0, 1.0]])) == pytest.approx(
        -np.log(1e-15)
    )
