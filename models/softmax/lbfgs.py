"""Preconditioned L-BFGS on a single problem, the products with the design matrix left out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from features.block import FloatArray
from models.softmax.hessian import LeadingColumns
from models.softmax.losses import Loss, objective
from models.softmax.warm_start import POINTS, Point, WarmStart, best_combination

MEMORY = 10  # pairs (s, y) remembered; 30 saved no iteration on picture features
SLOPE_LEFT = 0.3  # a line search ends where the slope has fallen to this fraction
LINE_STEPS = 40  # a step taken too long where all rows are nearly certain is halved many times


def _dot(a: FloatArray, b: FloatArray) -> float:
    return float(np.vdot(a, b))


class Pair(NamedTuple):
    """A step s, the change y of the gradient over it, and their product s'y = 1 / rho."""

    s: FloatArray
    y: FloatArray
    sy: float


class LBFGS:
    """State of one problem. Whoever runs it multiplies with the design matrix, for many at once.

    `compute_direction` gives d; the design matrix times d goes to `line_search`, which leaves
    `residuals`; the residuals times the design matrix go to `update`. Of what comes and goes, the
    first `loss.free` rows count, of r (see `Loss`). Weights have a last column for the intercept,
    which is not penalised.

    Parameters
    ----------
    loss : of the rows, as a function of their logits (r, m)
    penalty : factor of half the squared norm of the weights
    factors : float32 (width,), of the columns of the design matrix; the last, of ones, has factor 1
    start : from the same problem under stronger penalties, or None to start from zero

    Attributes
    ----------
    W : float32 (r, width), of the columns with their factors
    objective, gap, n_iter : as in `models.softmax.problem.Solution`
    stuck : whether rounding errors leave no descent
    """

    def __init__(
        self, loss: Loss, penalty: float, factors: FloatArray, start: WarmStart | None
    ) -> None:
        self.loss, self.factors = loss, factors
        self.penalty = np.full(len(factors), penalty, np.float32)
        self.penalty[-1] = 0.0
        self.n_iter, self.stuck, self.gap, self.objective = 0, False, np.inf, np.inf
        self._pairs: list[Pair] = []
        self._points = () if start is None else start.points
        if start is None:
            self.W, self._errors_then = np.zeros((loss.shape[0], len(factors)), np.float32), np.inf
            loss.evaluate(np.zeros(loss.shape, np.float32))
        else:
            self.W = best_combination(start.points, self.penalty, loss)
            self._preconditioner = start.preconditioner.with_penalty(self.penalty)
            self._errors_then = start.expected_errors
        self._G = np.zeros_like(self.W)

    @property
    def height(self) -> int:
        """r, how many rows weights and logits have."""
        return self.loss.shape[0]

    def warm_start(self) -> WarmStart:
        """What the next weaker penalty starts from; all that was needed on the way is dropped."""
        self._pairs.clear()
        start = WarmStart(
            (*self._points[1 - POINTS :], Point(self.W, self.loss.Z)),
            self._preconditioner,
            self._errors_then,
        )
        del self.loss, self._preconditioner, self._points
        return start

    @property
    def residuals(self) -> FloatArray:
        """Derivative of the loss by the logits (free, m)."""
        return self.loss.residuals[:self.loss.free]

    def errors_fell_to(self, share: float) -> bool:
        """Whether at most this share is left of the expected errors when the Hessian was taken."""
        return self.loss.expected_errors() <= share * self._errors_then

    def new_preconditioner(self) -> FloatArray:
        """Take the Hessian at the present weights; row weights (c, m) for `complete`."""
        self._preconditioner = self.loss.preconditioner(self.penalty)
        self._errors_then = self.loss.expected_errors()
        return self._preconditioner.row_weights

    def complete(self, squares: FloatArray, leading: LeadingColumns | None) -> None:
        """Take the columns' squares (c, width) under the row weights, and the leading columns."""
        if leading is not None:
            leading = leading._replace(values=leading.values * self.factors[leading.columns])
        self._preconditioner.complete(squares * np.square(self.factors), leading)

    def update(self, gradient: FloatArray) -> None:
        """Take the loss's derivative by the weights (r, width) where the last step ended."""
        G = self.loss.fill_dependent(gradient) * self.factors + self.penalty * self.W
        if self.n_iter:
            y = G - self._G
            sy = _dot(y, self._step)
            if sy > 0:
                self._pairs = [*self._pairs[1 - MEMORY:], Pair(self._step, y, sy)]
        self._G = G

    def compute_direction(self) -> None:
        """The two loops of L-BFGS around the preconditioner: d = -H G (Nocedal & Wright, 7.4)."""
        q, alphas = self._G.copy(), []
        for s, y, sy in reversed(self._pairs):
            alphas.append(_dot(s, q) / sy)
            q -= np.float32(alphas[-1]) * y
        q = self._preconditioner.solve(q)
        for (s, y, sy), alpha in zip(self._pairs, reversed(alphas), strict=True):
            q += np.float32(alpha - _dot(y, q) / sy) * s
        self._step, self._slope = -q, -_dot(self._G, q)

    def has_ended(self, tolerance: float, max_iter: int) -> bool:
        """Whether to stop here; brings `objective` and `gap` up to date.

        The gap is estimated by Newton's decrement, with L-BFGS's approximation for the Hessian.
        """
        self.objective = objective(self.loss, self.W, self.penalty)
        self.gap = -0.5 * self._slope / self.objective
        return self.gap <= tolerance or self.stuck or self.n_iter >= max_iter

    @property
    def direction(self) -> FloatArray:
        """The direction d (free, width), for the columns without their factors."""
        return self._step[:self.loss.free] * self.factors

    @property
    def weights(self) -> FloatArray:
        """Weights (r, width) of the columns without their factors."""
        return self.W * self.factors

    def line_search(self, logits: FloatArray) -> None:
        """Go along d, whose logits are (r, m), until the slope is nearly gone.

        Newton's method on the slope, which costs no product with the design matrix; the objective
        is convex, so the slope alone decides.
        """
        Zd, Z = self.loss.fill_dependent(logits), self.loss.Z
        penalty_curvature, penalty_slope = (
            _dot(self._step * self.penalty, self._step),
            _dot(self.W * self.penalty, self._step),
        )
        slope, t, low, high = self._slope, 0.0, 0.0, np.inf
        for _ in range(LINE_STEPS):
            curvature = float(self.loss.second_derivatives([Zd])[0, 0]) + penalty_curvature
            t = self._next_length(t, (low, high), slope, curvature)
            self.loss.evaluate(Z + np.float32(t) * Zd)
            slope = _dot(self.loss.residuals, Zd) + penalty_slope + t * penalty_curvature
            if abs(slope) <= SLOPE_LEFT * -self._slope:
                break
            low, high = (t, high) if slope < 0 else (low, t)
        else:
            self.stuck = True
        self.n_iter += 1
        self._step *= np.float32(t)
        self.W = self.W + self._step

    @staticmethod
    def _next_length(
        t: float, bounds: tuple[float, float], slope: float, curvature: float
    ) -> float:
        """Newton's next length, or the middle of the bounds where that leaves them."""
        low, high = bounds
        newton = t - slope / curvature if curvature > 0 else np.inf
        if low < newton < high:
            return newton
        return max(1.0, 2 * low) if high == np.inf else 0.5 * (low + high)
