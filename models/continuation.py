"""Starting a softmax regression from the solutions of the same problem under stronger penalties."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.losses import Loss, objective

FloatArray = NDArray[np.float32]

POINTS = 3  # solutions to start from: more of them were measured to save nothing
NEWTON_STEPS = 4


class Point(NamedTuple):
    """Weights (r, width) and the logits (r, m) they give; or the difference of two such pairs."""

    W: FloatArray
    Z: FloatArray

    def minus(self, other: Point) -> Point:
        """The difference of two points."""
        return Point(self.W - other.W, self.Z - other.Z)


def directions(points: Sequence[Point]) -> list[Point]:
    """The last of the points, its difference from the one before, and the difference of the differences."""
    found, level = [], list(points[-POINTS:])
    while level:
        found.append(level[-1])
        level = [later.minus(earlier) for earlier, later in pairwise(level)]
    return found


def combined(points: Sequence[Point], penalty: FloatArray, loss: Loss) -> Point:
    """The best combination of the points: extrapolation along the strengths, by Newton's method on the shares.

    The logits of a combination are the combination of the logits, so no product with the features is needed.

    Parameters
    ----------
    points : at least one, the last of them from the nearest strength
    penalty : float32 (width,), of each column
    loss : of the rows; it stands anywhere afterwards
    """
    basis = directions(points)
    bends = np.array([[np.vdot(one.W * penalty, other.W) for other in basis] for one in basis], np.float64)
    shares = np.eye(len(basis))[0]
    best, lowest = basis[0], _objective(loss, basis[0], penalty)
    for _ in range(NEWTON_STEPS):
        logits = [each.Z for each in basis]
        slopes = np.array([np.vdot(loss.residual, each) for each in logits]) + bends @ shares
        shares = shares - np.linalg.lstsq(loss.bends(logits) + bends, slopes, rcond=1e-10)[0]
        point = _sum(basis, shares)
        reached = _objective(loss, point, penalty)
        if not reached < lowest:
            break
        best, lowest = point, reached
    return best


def _objective(loss: Loss, point: Point, penalty: FloatArray) -> float:
    loss.at(point.Z)
    return objective(loss, point.W, penalty)


def _sum(basis: Sequence[Point], shares: NDArray[np.float64]) -> Point:
    W = sum(np.float32(share) * each.W for share, each in zip(shares, basis, strict=True))
    Z = sum(np.float32(share) * each.Z for share, each in zip(shares, basis, strict=True))
    return Point(np.asarray(W), np.asarray(Z))
