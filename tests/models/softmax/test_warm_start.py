"""Starting points: the best combination of solutions, never worse than the last of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from models.softmax.losses import loss_of
from models.softmax.warm_start import Point, best_combination, difference_basis

M, WIDTH = 80, 6


def problem(weighted, k=3, seed=0):
    """Features, penalties, the loss, what the objective is at a point, and some points."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(M, WIDTH)).astype(np.float32), rng.integers(0, k, M)
    weights = rng.uniform(0.2, 2, M).astype(np.float32) if weighted else None
    penalty = np.array([0.3] * (WIDTH - 1) + [0.0], np.float32)

    row_weights = np.ones(M) if weights is None else weights

    def measure(point):
        Z = np.concatenate([0 * point.Z, point.Z]) if k == 2 else point.Z
        surprise = logsumexp(Z.astype(np.float64), axis=0) - Z[y, np.arange(M)]
        return float(surprise @ row_weights + 0.5 * np.vdot(point.W * penalty, point.W))

    points = []
    for size in (0.05, 0.1, 0.2, 0.3):
        W = (size * rng.normal(size=(1 if k == 2 else k, WIDTH))).astype(np.float32)
        points.append(Point(W, W @ X.T))
    return X, penalty, loss_of(y, k, weights), measure, points


def reached(points, penalty, loss):
    """The combination, with the logits at which it leaves the loss."""
    W = best_combination(points, penalty, loss)
    return Point(W, loss.Z)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_best_combination_is_found(count, k, weighted):
    _, penalty, loss, measure, points = problem(weighted, k)
    points = points[:count]

    def at(shares):
        return measure(
            Point(
                sum(share * point.W for share, point in zip(shares, points, strict=True)),
                sum(share * point.Z for share, point in zip(shares, points, strict=True)),
            )
        )

    lowest = minimize(at, np.eye(count)[-1], tol=1e-12).fun
    assert measure(reached(points, penalty, loss)) == pytest.approx(lowest, rel=1e-5)


def test_logits_are_those_of_the_weights():
    X, penalty, loss, _, points = problem(weighted=False)
    point = reached(points, penalty, loss)
    assert np.allclose(point.Z, point.W @ X.T, atol=1e-5)


def test_of_equal_points_it_is_the_last():
    """Strengths that stand there twice span nothing; nothing is divided by zero."""
    _, penalty, loss, measure, points = problem(weighted=True)
    point = reached([points[0]] * 3, penalty, loss)
    assert measure(point) <= measure(points[0])
    assert np.isfinite(point.W).all()


def test_it_is_never_worse_than_the_last_point():
    """Far away, where all is certain, Newton's method overshoots."""
    X, penalty, loss, measure, points = problem(weighted=False)
    far = Point(points[0].W * 4000, points[0].Z * 4000)
    point = reached([far], penalty, loss)
    assert measure(point) <= measure(far)
    # A logit is a sum whose parts may cancel: single precision holds the sum of their sizes to
    # 1e-6, and a logit of .1 among parts of 200 (as here) not to 1e-4 of itself.
    sizes = np.abs(point.W) @ np.abs(X).T
    assert (np.abs(point.Z - point.W @ X.T) <= 1e-6 * sizes).all()


def test_differences_are_taken_of_the_latest_points():
    points = [Point(np.full((1, 1), value, np.float32), np.full((1, 1), 2 * value, np.float32))
              for value in (99.0, 1.0, 2.0, 4.0)]
    assert [float(point.W[0, 0]) for point in difference_basis(points)] == [4.0, 2.0, 1.0]
    assert [float(point.Z[0, 0]) for point in difference_basis(points)] == [8.0, 4.0, 2.0]
