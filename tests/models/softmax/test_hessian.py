"""The preconditioner: taken over to other penalties, and renewed where it is outdated."""

from __future__ import annotations

import numpy as np
import pytest

from models.softmax import path
from models.softmax.hessian import LeadingColumns
from models.softmax.lbfgs import LBFGS
from models.softmax.losses import loss_of
from models.softmax.problem import Problem
from models.softmax.solve import solve

M, WIDTH = 90, 7


def completed(k, weighted, penalty, leading):
    """Preconditioner at some logits, with the squares and the leading columns of some features."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(M, WIDTH)).astype(np.float32)
    weights = rng.uniform(0.2, 2, M).astype(np.float32) if weighted else None
    loss = loss_of(rng.integers(0, k, M), k, weights)
    loss.evaluate(rng.normal(size=loss.shape).astype(np.float32))
    preconditioner = loss.preconditioner(penalty)
    columns = np.array([1, 4, 6])
    preconditioner.complete(
        preconditioner.row_weights @ np.square(X),
        LeadingColumns(columns, X[:, columns], 1) if leading else None,
    )
    return preconditioner


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("leading", [False, True])
def test_under_another_penalty_it_is_what_it_would_be(k, weighted, leading):
    penalty, other = np.full(WIDTH, 0.5, np.float32), np.full(WIDTH, 20.0, np.float32)
    vector = np.random.default_rng(1).normal(size=(1 if k == 2 else k, WIDTH)).astype(np.float32)
    vector -= 0 if k == 2 else vector.mean(axis=0)
    first = completed(k, weighted, penalty, leading)
    before = first.solve(vector)
    taken_over = first.with_penalty(other).solve(vector)
    np.testing.assert_allclose(
        taken_over, completed(k, weighted, other, leading).solve(vector), rtol=1e-5, atol=1e-7
    )
    assert np.array_equal(first.solve(vector), before)
    assert np.abs(taken_over).max() < 0.9 * np.abs(before).max()


def renewals(monkeypatch, X, y, strengths):
    """How often the Hessian was taken, and the solutions."""
    taken, original = [], LBFGS.new_preconditioner
    monkeypatch.setattr(
        LBFGS, "new_preconditioner", lambda self: taken.append(self) or original(self)
    )
    solutions = solve(X, y, [Problem(np.arange(len(y)), C) for C in strengths])
    return len(taken), solutions


@pytest.mark.parametrize("k", [2, 4])
def test_it_is_renewed_where_expected_errors_have_fallen_and_only_there(k, monkeypatch):
    rng = np.random.default_rng(2)
    y = np.arange(200) % k
    X = (rng.normal(size=(200, 12)) + 0.8 * np.eye(k, 12)[y]).astype(np.float32)
    near, _ = renewals(monkeypatch, X, y, [0.1, 0.11, 0.12, 0.13])
    assert near == 1
    separate = (X + 3 * np.eye(k, 12)[y]).astype(np.float32)
    far, solutions = renewals(monkeypatch, separate, y, [0.001, 0.1, 10.0, 1000.0])
    assert far >= 4
    assert all(solution.converged for solution in solutions)
    monkeypatch.setattr(path, "RENEWAL_SHARE", 1e-9)
    never, without = renewals(monkeypatch, separate, y, [0.001, 0.1, 10.0, 1000.0])
    assert never == 1
    assert sum(solution.n_iter for solution in solutions) < sum(
        solution.n_iter for solution in without
    )
