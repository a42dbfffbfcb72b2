"""Starting a softmax regression from the solutions of the same problem under stronger penalties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

POINTS = 3  # solutions to start from: more of them were measured to save nothing
NEWTON_STEPS = 4


class Point(NamedTuple):
    """Weights (k, width) and the logits (k, m) they give; or the difference of two such pairs."""

    W: FloatArray
    Z: FloatArray

    def minus(self, other: Point) -> Point:
        """The difference of two points."""
        return Point(self.W - other.W, self.Z - other.Z)


class Local(NamedTuple):
    """The objective's loss at some logits: its value with the penalty, and probabilities and residual (k, m)."""

    objective: float
    P: FloatArray
    residual: FloatArray


Measure = Callable[[Point], Local]


def directions(points: Sequence[Point]) -> list[Point]:
    """The last of the points, its difference from the one before, and the difference of the differences."""
    found, level = [], list(points[-POINTS:])
    while level:
        found.append(level[-1])
        level = [later.minus(earlier) for earlier, later in pairwise(level)]
    return found


def combined(points: Sequence[Point], penalty: FloatArray, sample_weights: FloatArray | None,
             measure: Measure) -> Point:
    """The best combination of the points: extrapolation along the strengths, by Newton's method on the shares.

    The logits of a combination are the combination of the logits, so no product with the features is needed.

    Parameters
    ----------
    points : at least one, the last of them from the nearest strength
    penalty : float32 (width,), of each column
    sample_weights : float32 (m,), optional
    measure : what the objective is like at a point
    """
    basis = directions(points)
    bends = np.array([[np.vdot(one.W * penalty, other.W) for other in basis] for one in basis], np.float64)
    shares = np.eye(len(basis))[0]
    best, here = basis[0], measure(basis[0])
    lowest = here.objective
    for _ in range(NEWTON_STEPS):
        slopes = np.array([np.vdot(here.residual, each.Z) for each in basis]) + bends @ shares
        shares = shares - np.linalg.lstsq(_curvature(basis, here.P, sample_weights) + bends, slopes, rcond=1e-10)[0]
        point = _sum(basis, shares)
        here = measure(point)
        if not here.objective < lowest:
            break
        best, lowest = point, here.objective
    return best


def _curvature(basis: Sequence[Point], P: FloatArray, sample_weights: FloatArray | None) -> NDArray[np.float64]:
    """Second derivatives of the loss by the shares."""
    pulls = [P * each.Z for each in basis]
    sums = [pull.sum(axis=0) for pull in pulls]
    weights = np.ones(P.shape[1], np.float32) if sample_weights is None else sample_weights
    return np.array([[np.dot((pull * other.Z).sum(axis=0) - total * rest, weights)
                      for other, rest in zip(basis, sums, strict=True)]
                     for pull, total in zip(pulls, sums, strict=True)], np.float64)


def _sum(basis: Sequence[Point], shares: NDArray[np.float64]) -> Point:
    W = sum(np.float32(share) * each.W for share, each in zip(shares, basis, strict=True))
    Z = sum(np.float32(share) * each.Z for share, each in zip(shares, basis, strict=True))
    return Point(np.asarray(W), np.asarray(Z))
