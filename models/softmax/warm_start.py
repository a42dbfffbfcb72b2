"""Starting a softmax regression from the solutions of the same problem under stronger penalties."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.softmax.hessian import Curvature
from models.softmax.losses import Loss

FloatArray = NDArray[np.float32]

POINTS = 3  # solutions to start from: more of them were measured to save nothing
NEWTON_STEPS = 4
ENOUGH = 1e-3  # of the objective that the last step promised: the shares need not be exact


class Point(NamedTuple):
    """Weights (r, width) and the logits (r, m) they give; or the difference of two such pairs."""

    W: FloatArray
    Z: FloatArray

    def minus(self, other: Point) -> Point:
        """The difference of two points."""
        return Point(self.W - other.W, self.Z - other.Z)


class Earlier(NamedTuple):
    """What solutions under stronger penalties leave to the next one.

    Attributes
    ----------
    points : the solutions, the nearest one last
    curvature : the last that was taken
    doubt : the rows' doubts then
    """

    points: tuple[Point, ...]
    curvature: Curvature
    doubt: float


def directions(points: Sequence[Point]) -> list[Point]:
    """The last of the points, its difference from the one before, and the difference of the differences."""
    found, level = [], list(points[-POINTS:])
    while level:
        found.append(level[-1])
        level = [later.minus(earlier) for earlier, later in pairwise(level)]
    return found


def combined(points: Sequence[Point], penalty: FloatArray, loss: Loss) -> FloatArray:
    """The best combination of the points: extrapolation along the strengths, by Newton's method on the shares.

    The logits of a combination are the combination of the logits, so no product with the features
    is needed.

    Parameters
    ----------
    points : at least one, the last of them from the nearest strength
    penalty : float32 (width,), of each column
    loss : of the rows; it stands at the combination afterwards

    Returns
    -------
    weights (r, width) of the combination
    """
    basis = directions(points)
    logits = [each.Z for each in basis]
    bends = np.array(
        [[np.vdot(one.W * penalty, other.W) for other in basis] for one in basis], np.float64
    )
    shares = np.eye(len(basis))[0]
    loss.at(logits[0])
    lowest = loss.value() + 0.5 * bends[0, 0]
    for _ in range(NEWTON_STEPS):
        slopes = np.array([np.vdot(loss.residual, each) for each in logits]) + bends @ shares
        change = np.linalg.lstsq(loss.bends(logits) + bends, -slopes, rcond=1e-10)[0]
        before, promised = loss.Z, -0.5 * float(slopes @ change)
        loss.at(_sum(logits, shares + change))
        reached = loss.value() + 0.5 * float((shares + change) @ bends @ (shares + change))
        if not reached < lowest:
            loss.at(before)
            break
        shares, lowest = shares + change, reached
        if promised < ENOUGH * lowest:
            break
    return _sum([each.W for each in basis], shares)


def _sum(parts: Sequence[FloatArray], shares: NDArray[np.float64]) -> FloatArray:
    total = parts[0] * np.float32(shares[0])
    for part, share in zip(parts[1:], shares[1:], strict=True):
        total += part * np.float32(share)
    return total
