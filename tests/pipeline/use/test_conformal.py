"""Sets of classes: as often right as is asked for, whatever the model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.use.conformal import LeftOut, sets


def drawn(rng, n, sharpness, classes=5):
    """Probabilities of a model that is more or less sure than it should be, and true classes."""
    logits = rng.normal(size=(n, classes))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    shown = np.exp(sharpness * logits)
    return shown / shown.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.99])
@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_coverage_holds_for_models_that_are_sure_or_unsure(coverage, sharpness):
    rng = np.random.default_rng(0)
    probabilities, labels = drawn(rng, 4000, sharpness)
    scores = 1 - probabilities[np.arange(4000), labels]
    left_out = LeftOut(scores, np.arange(4000) % 3)
    fresh, true = drawn(rng, 4000, sharpness)
    inside = sets(fresh, left_out.threshold(coverage))
    covered = inside[np.arange(4000), true].mean()
    assert covered >= coverage - 0.02
    assert left_out.measured(coverage) == pytest.approx(coverage, abs=0.02)


def test_too_few_rows_give_every_class():
    left_out = LeftOut(np.array([0.1, 0.2, 0.3]), np.array([0, 1, 2]))
    assert left_out.threshold(0.9) == 0.0
    assert sets(np.array([[0.0, 1.0]]), 0.0).all()
    assert left_out.threshold(0.75) == pytest.approx(0.7)  # the third of three


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5), st.floats(0, 1))
@settings(max_examples=50)
def test_the_most_probable_class_is_always_there(shares, threshold):
    probabilities = np.array([shares])
    inside = sets(probabilities, threshold)
    assert inside[0, probabilities[0].argmax()]
    assert (inside[0] >= (probabilities[0] >= threshold)).all()
