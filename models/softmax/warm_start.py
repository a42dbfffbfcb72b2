"""Starting a problem from the solutions of the same problem under stronger penalties."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray
from models.softmax.hessian import Preconditioner
from models.softmax.losses import Loss

# Solutions to start from: more of them were measured to save nothing. benchmarks.softmax --ablate:
# only the last takes 1.1 to 1.2 times the time of 20 fits, and the preconditioner built anew for
# each 1.15 times (25 fits of 2 classes, 10,000 rows).
POINTS = 3
NEWTON_STEPS = 4
# of the objective that the last step promised: the coefficients need not be exact
SMALL_DECREASE = 1e-3


class Point(NamedTuple):
    """Weights (r, width) and the logits (r, m) they give; or the difference of two such pairs."""

    W: FloatArray
    Z: FloatArray

    def minus(self, other: Point) -> Point:
        """The difference of two points."""
        return Point(self.W - other.W, self.Z - other.Z)


class WarmStart(NamedTuple):
    """What solutions under stronger penalties leave to the next problem of a path.

    Attributes
    ----------
    points : the solutions, the nearest last
    preconditioner : the last that was built
    expected_errors : of the rows then
    """

    points: tuple[Point, ...]
    preconditioner: Preconditioner
    expected_errors: float


def difference_basis(points: Sequence[Point]) -> list[Point]:
    """The last of the points, its backward difference, and the second difference."""
    basis, level = [], list(points[-POINTS:])
    while level:
        basis.append(level[-1])
        level = [later.minus(earlier) for earlier, later in pairwise(level)]
    return basis


def best_combination(points: Sequence[Point], penalty: FloatArray, loss: Loss) -> FloatArray:
    """The combination of the points with the smallest objective: an extrapolation along the path.

    Its coefficients are found by Newton's method. The logits of a combination are the combination
    of the logits, so no product with the design matrix is needed.

    Parameters
    ----------
    points : at least the last, from the nearest strength
    penalty : float32 (width,), of each column
    loss : of the rows; evaluated at the combination afterwards

    Returns
    -------
    weights (r, width) of the combination
    """
    basis = difference_basis(points)
    logits = [point.Z for point in basis]
    penalties = _penalty_products(basis, penalty)
    a = np.eye(len(basis))[0]
    loss.evaluate(logits[0])
    lowest = loss.value() + 0.5 * penalties[0, 0]
    for _ in range(NEWTON_STEPS):
        gradient = np.array([np.vdot(loss.residuals, Z) for Z in logits]) + penalties @ a
        hessian = loss.second_derivatives(logits) + penalties
        step = np.linalg.lstsq(hessian, -gradient, rcond=1e-10)[0]
        Z_before, expected_decrease = loss.Z, -0.5 * float(gradient @ step)
        loss.evaluate(_combined(logits, a + step))
        reached = loss.value() + 0.5 * float((a + step) @ penalties @ (a + step))
        if not reached < lowest:
            loss.evaluate(Z_before)
            break
        a, lowest = a + step, reached
        if expected_decrease < SMALL_DECREASE * lowest:
            break
    return _combined([point.W for point in basis], a)


def _penalty_products(basis: Sequence[Point], penalty: FloatArray) -> NDArray[np.float64]:
    """Products (b, b) of the weights with each other, under the penalty of each column."""
    rows = []
    for point in basis:
        penalised = point.W * penalty
        rows.append([np.vdot(penalised, other.W) for other in basis])
    return np.array(rows, np.float64)


def _combined(parts: Sequence[FloatArray], coefficients: NDArray[np.float64]) -> FloatArray:
    total = parts[0] * np.float32(coefficients[0])
    for part, coefficient in zip(parts[1:], coefficients[1:], strict=True):
        total += part * np.float32(coefficient)
    return total
