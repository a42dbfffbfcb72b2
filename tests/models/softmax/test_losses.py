"""Cross-entropy by the logits: value and derivatives, for many classes and for two."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from models.softmax.losses import loss_of

ROWS = 60


def problem(k, weighted, seed=0):
    """Loss, full logits (k, m) of itself, codes, and each row's weight."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.arange(ROWS) % k)
    weights = rng.uniform(0.2, 2, ROWS).astype(np.float32) if weighted else None
    return (
        loss_of(codes, k, weights),
        codes,
        np.ones(ROWS) if weights is None else weights.astype(np.float64),
    )


def logits(k, size=1.0, seed=1):
    Z = np.random.default_rng(seed).normal(size=(1 if k == 2 else k, ROWS)) * size
    return Z.astype(np.float32)


def full(Z):
    """A logit for each class: with two classes, that of the second against the first."""
    Z = Z.astype(np.float64)
    return np.concatenate([np.zeros_like(Z), Z]) if len(Z) == 1 else Z


def value(Z, codes, weights):
    Z = full(Z)
    return float(((logsumexp(Z, axis=0) - Z[codes, np.arange(ROWS)]) * weights).sum())


CASES = pytest.mark.parametrize(
    ("k", "weighted"), list(itertools.product((2, 3, 7), (False, True)))
)


@CASES
@pytest.mark.parametrize("size", [0.0, 1.0, 8.0, 60.0])
def test_value_and_residual_are_those_of_the_cross_entropy(k, weighted, size):
    loss, codes, weights = problem(k, weighted)
    Z = logits(k, size)
    loss.evaluate(Z)
    assert loss.value() == pytest.approx(value(Z, codes, weights), rel=1e-5, abs=1e-4)
    wrong = 1 - softmax(full(Z), axis=0)[codes, np.arange(ROWS)]
    assert loss.expected_errors() == pytest.approx(float(wrong @ weights), rel=1e-4)
    residual = (softmax(full(Z), axis=0) - np.eye(k)[codes].T) * weights
    np.testing.assert_allclose(
        loss.residuals, residual[1:] if k == 2 else residual, rtol=1e-4, atol=1e-6
    )
    free = np.full(loss.shape, np.nan, np.float32)
    free[:loss.free] = loss.residuals[:loss.free]
    np.testing.assert_allclose(loss.fill_dependent(free), loss.residuals, atol=1e-6)


@CASES
def test_second_derivatives_are_those_of_the_value(k, weighted):
    loss, codes, weights = problem(k, weighted)
    Z, steps = logits(k), [logits(k, 1.0, seed) for seed in (2, 3)]
    loss.evaluate(Z)
    step = 1e-3
    for a, first in enumerate(steps):
        for b, second in enumerate(steps):
            around = [
                sign * value(Z + step * (u * first + v * second).astype(np.float64), codes, weights)
                for sign, u, v in ((1, 1, 1), (-1, 1, -1), (-1, -1, 1), (1, -1, -1))
            ]
            assert loss.second_derivatives(steps)[a, b] == pytest.approx(
                sum(around) / (4 * step**2), rel=1e-3, abs=1e-3
            )


@CASES
def test_row_weights_of_the_curvature_are_second_derivatives(k, weighted):
    """Along the directions of the class space they add up to the trace of second derivatives."""
    loss, _, weights = problem(k, weighted)
    Z = logits(k)
    loss.evaluate(Z)
    row_weights = loss.preconditioner(np.ones(4, np.float32)).row_weights
    P = softmax(full(Z), axis=0)
    trace = P[0] * P[1] if k == 2 else (P * (1 - P)).sum(axis=0)
    assert row_weights.shape == (k - 1, ROWS)
    np.testing.assert_allclose(row_weights.sum(axis=0), trace * weights, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("k", [2, 4])
def test_what_is_beyond_doubt_keeps_its_digits(k):
    loss, codes, _ = problem(k, weighted=False)
    certain = np.eye(k)[codes].T * 30
    Z = (certain[1:] - certain[:1] if k == 2 else certain).astype(np.float32)
    loss.evaluate(Z)
    assert loss.value() == pytest.approx(value(Z, codes, np.ones(ROWS)), rel=1e-4)
    missed = np.abs(loss.residuals).max(axis=0)
    np.testing.assert_allclose(missed, (k - 1) * np.exp(-30.0), rtol=1e-4)
