"""One softmax regression on its way down: preconditioned L-BFGS, the products with the features left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.softmax.hessian import Leading
from models.softmax.losses import Loss, objective
from models.softmax.warm_start import POINTS, Earlier, Point, combined

FloatArray = NDArray[np.float32]

MEMORY = 10  # steps remembered; 30 saved no iteration on picture features
SLOPE_LEFT = 0.3  # a line search ends where the slope has fallen to this fraction
LINE_STEPS = 40  # a step taken too long where all is nearly certain is halved many times


def _dot(a: FloatArray, b: FloatArray) -> float:
    return float(np.vdot(a, b))


class Descent:
    """State of one problem. Whoever runs it multiplies with the features, for many problems at once.

    `turn` gives a direction; the features times it go to `step`, which leaves `residual`; the
    residual times the features goes to `arrive`. Of what comes and goes, the first `loss.told` rows
    count, of r (see `Loss`). Weights have a last column for the intercept, which is not penalised.

    Parameters
    ----------
    loss : of the rows, as a function of their logits (r, m)
    penalty : factor of half the squared norm of the weights
    factors : float32 (width,), of the columns of the features; the last one, of ones, has factor 1
    earlier : of the same problem under stronger penalties, to start from

    Attributes
    ----------
    W : float32 (r, width), of the features with their factors
    objective, gap, n_iter : as in `models.softmax.problem.Solution`
    stuck : whether rounding errors leave no way down
    """

    def __init__(
        self, loss: Loss, penalty: float, factors: FloatArray, earlier: Earlier | None
    ) -> None:
        self.loss, self.factors = loss, factors
        self.penalty = np.full(len(factors), penalty, np.float32)
        self.penalty[-1] = 0.0
        self.n_iter, self.stuck, self.gap, self.objective = 0, False, np.inf, np.inf
        self._past: list[tuple[FloatArray, FloatArray, float]] = []
        self._points = () if earlier is None else earlier.points
        if earlier is None:
            self.W, self._doubted = np.zeros((loss.shape[0], len(factors)), np.float32), np.inf
            loss.at(np.zeros(loss.shape, np.float32))
        else:
            self.W = combined(earlier.points, self.penalty, loss)
            self._curvature, self._doubted = earlier.curvature.under(self.penalty), earlier.doubt
        self._gradient = np.zeros_like(self.W)

    @property
    def height(self) -> int:
        """r, how many rows weights and logits have."""
        return self.loss.shape[0]

    def leave(self) -> Earlier:
        """What helps the next one; all that was needed on the way is dropped."""
        self._past.clear()
        left = Earlier(
            (*self._points[1 - POINTS :], Point(self.W, self.loss.Z)),
            self._curvature,
            self._doubted,
        )
        del self.loss, self._curvature, self._points
        return left

    @property
    def residual(self) -> FloatArray:
        """Derivative of the loss by the logits (told, m)."""
        return self.loss.residual[:self.loss.told]

    def faded(self, share: float) -> bool:
        """Whether at most so much is left of the rows' doubts when the curvature was taken, if it ever was."""
        return self.loss.doubt() <= share * self._doubted

    def curvature(self) -> FloatArray:
        """Start anew with the curvature where the problem stands; row weights (c, m) for `complete`."""
        self._curvature, self._doubted = self.loss.curvature(self.penalty), self.loss.doubt()
        return self._curvature.row_weights

    def complete(self, squares: FloatArray, leading: Leading | None) -> None:
        """Take the features' squares (c, width) under the row weights, and the leading columns."""
        if leading is not None:
            leading = leading._replace(values=leading.values * self.factors[leading.columns])
        self._curvature.complete(squares * np.square(self.factors), leading)

    def arrive(self, gradient: FloatArray) -> None:
        """Take the loss's derivative by the weights (r, width) where the last step ended."""
        gradient = self.loss.complete(gradient) * self.factors + self.penalty * self.W
        if self.n_iter:
            change = gradient - self._gradient
            curvature = _dot(change, self._step)
            if curvature > 0:
                self._past = [*self._past[1 - MEMORY:], (self._step, change, curvature)]
        self._gradient = gradient

    def turn(self) -> None:
        """Choose a direction by L-BFGS's two loops around the preconditioner."""
        vector, shares = self._gradient.copy(), []
        for step, change, curvature in reversed(self._past):
            shares.append(_dot(step, vector) / curvature)
            vector -= np.float32(shares[-1]) * change
        vector = self._curvature.solve(vector)
        for (step, change, curvature), share in zip(self._past, reversed(shares), strict=True):
            vector += np.float32(share - _dot(change, vector) / curvature) * step
        self._step, self._slope = -vector, -_dot(self._gradient, vector)

    def done(self, tolerance: float, max_iter: int) -> bool:
        """Whether to stop where it stands; only then are `objective` and `gap` up to date.

        The gap is estimated by Newton's decrement, with L-BFGS's approximation for the Hessian. As
        the objective only falls, it is not taken as long as the decrement is too large for one of
        an earlier step.
        """
        decrement, ended = -0.5 * self._slope, self.stuck or self.n_iter >= max_iter
        if decrement > tolerance * self.objective and not ended:
            return False
        self.objective = objective(self.loss, self.W, self.penalty)
        self.gap = decrement / self.objective
        return self.gap <= tolerance or ended

    @property
    def direction(self) -> FloatArray:
        """Where to go from here (told, width), for the features without their factors."""
        return self._step[:self.loss.told] * self.factors

    @property
    def weights(self) -> FloatArray:
        """Weights (r, width) of the features without their factors."""
        return self.W * self.factors

    def step(self, move: FloatArray) -> None:
        """Go along the direction, whose logits are `move` (r, m), until the slope is nearly gone.

        Newton's method on the slope, which costs no product with the features; the objective is
        convex, so the slope alone tells.
        """
        move, start = self.loss.complete(move), self.loss.Z
        bend, tilt = (
            _dot(self._step * self.penalty, self._step),
            _dot(self.W * self.penalty, self._step),
        )
        slope, length, low, high = self._slope, 0.0, 0.0, np.inf
        for _ in range(LINE_STEPS):
            length = self._next_length(
                length, low, high, slope, float(self.loss.bends([move])[0, 0]) + bend
            )
            self.loss.at(start + np.float32(length) * move)
            slope = _dot(self.loss.residual, move) + tilt + length * bend
            if abs(slope) <= SLOPE_LEFT * -self._slope:
                break
            low, high = (length, high) if slope < 0 else (low, length)
        else:
            self.stuck = True
        self.n_iter += 1
        self._step *= np.float32(length)
        self.W = self.W + self._step

    @staticmethod
    def _next_length(length: float, low: float, high: float, slope: float, bend: float) -> float:
        """Newton's next length, or the middle of the bounds where that leaves them."""
        found = length - slope / bend if bend > 0 else np.inf
        if low < found < high:
            return found
        return max(1.0, 2 * low) if high == np.inf else 0.5 * (low + high)
