"""Preconditioned L-BFGS on many problems in step: as `models.softmax.lbfgs`, with a batch axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.softmax.lbfgs import LINE_STEPS, MEMORY, SLOPE_LEFT
from models.softmax.path import RENEWAL_ITERATIONS
from models.softmax.torch_device.design import DesignMatrix
from models.softmax.torch_device.hessian import Penalties, Preconditioner
from models.softmax.torch_device.losses import Rows

# Iterations between two looks at which problems have ended, and steps of a line search before the
# first look: a look waits for the device, which has otherwise its work in advance.
LOOK, STEPS_BEFORE_LOOK = 4, 2


class Start(NamedTuple):
    """The problems as they begin.

    Attributes
    ----------
    rows : what they learn from
    present : (P, K) bool, the classes among each problem's training rows
    penalties : of their columns
    """

    rows: Rows
    present: Tensor
    penalties: Penalties


class Ended(NamedTuple):
    """Problems that have ended.

    Attributes
    ----------
    positions : int (e,), which of those that were begun
    W : (e, K, width), their weights, of columns without their factors; on the device
    objective, gap : float (e,), as in `models.softmax.problem.Solution`
    n_iter : of all of them
    """

    positions: NDArray[np.int64]
    W: Tensor
    objective: NDArray[np.float64]
    gap: NDArray[np.float64]
    n_iter: int


class _Pairs:
    """The last MEMORY pairs (s, y) of every problem, by age, divided by the root of s'y.

    So rho = 1, and the numbers of all pairs are of one size.
    """

    def __init__(self, problems: int, numbers: int, device: torch.device) -> None:
        self._s = torch.zeros((problems, MEMORY, numbers), device=device)
        self._y = torch.zeros_like(self._s)

    def add(self, s: Tensor, y: Tensor) -> None:
        """Take a pair (P, numbers); where s'y is not positive, zeros, which do nothing."""
        sy = (s * y).sum(dim=1, keepdim=True)
        factor = torch.where(sy > 0, sy.rsqrt(), 0.0)
        self._s = torch.cat([self._s[:, 1:], (s * factor)[:, None]], dim=1)
        self._y = torch.cat([self._y[:, 1:], (y * factor)[:, None]], dim=1)

    def keep(self, problems: Tensor) -> None:
        """Go on with some of the problems (int64)."""
        self._s = self._s[problems]
        self._y = self._y[problems]

    def two_loops(self, G: Tensor, solve: Callable[[Tensor], Tensor]) -> Tensor:
        """Approximate inverse Hessians times G (P, numbers); `solve` gives the first guess of it.

        Each of the two loops of algorithm 7.4 (Nocedal & Wright) is a triangular system. With R the
        upper triangle of S'Y, its diagonal 1, and the last pair at the end, the first one gives
        alpha = R^-1 S'G; the second adds S c, where R' c = alpha - Y'z and z is the first guess for
        G - Y alpha.
        """
        R, unit = self._s @ self._y.transpose(1, 2), {"unitriangular": True}
        alpha = torch.linalg.solve_triangular(R, self._s @ G[:, :, None], upper=True, **unit)
        z: Tensor = solve(G - (self._y.transpose(1, 2) @ alpha)[:, :, 0])
        c = torch.linalg.solve_triangular(
            R.transpose(1, 2), alpha - self._y @ z[:, :, None], upper=False, **unit
        )
        z += (self._s.transpose(1, 2) @ c)[:, :, 0]
        return z


class BatchedLBFGS:
    """All problems from weights of zero; `minimise` runs them."""

    def __init__(self, design: DesignMatrix, start: Start) -> None:
        self._design, self._rows, self._present, self._penalties = design, *start
        problems, K = start.present.shape
        device, n = design.X.device, len(design.X)
        self._positions = np.arange(problems)
        self._W = torch.zeros((problems, K, design.width), device=device)
        self._G = torch.zeros_like(self._W)
        self._Z = torch.zeros((problems, K, n), device=device)
        self._Z.masked_fill_(~start.present[:, :, None], -torch.inf)
        self._P, self._wrong = self._rows.others(self._Z)
        self._pairs = _Pairs(problems, K * design.width, device)
        self._step: Tensor | None = None
        self._leading: Tensor | None = None
        self._stuck = torch.zeros(problems, dtype=torch.bool, device=device)
        self._objective = torch.zeros(problems, dtype=torch.float64, device=device)
        self._all_present = bool(start.present.all())

    def minimise(self, tolerance: float, max_iter: int) -> list[Ended]:
        """Iterate until all have ended."""
        ended: list[Ended] = []
        for iteration in range(max_iter + 1):
            self._update()
            if iteration in RENEWAL_ITERATIONS:
                self._preconditioner = Preconditioner(
                    self._design, self._rows, (self._P, self._wrong), self._penalties,
                    self._leading)
                self._leading = self._preconditioner.leading
            self._find_direction()
            if iteration % LOOK == 0 or iteration == max_iter:
                ended += self._take_ended(tolerance, iteration, iteration == max_iter)
                if not len(self._positions):
                    break
            self._search_line(tolerance)
        return ended

    def _update(self) -> None:
        """Gradients where the last step ended, and the pair of it."""
        residuals = self._rows.residuals(self._P, self._wrong)
        G = self._design.gradients(residuals).mul_(self._penalties.factors)
        if not self._all_present:
            G *= self._present[:, :, None]
        G.addcmul_(self._W, self._penalties.of_columns)
        if self._step is not None:
            self._pairs.add(self._step.flatten(1), (G - self._G).flatten(1))
        self._G = G

    def _find_direction(self) -> None:
        """The direction d = -H G, and the slope along it."""
        shape = self._G.shape
        direction = self._pairs.two_loops(
            self._G.flatten(1),
            lambda q: self._preconditioner.solve(q.view(shape)).flatten(1),
        ).neg_()
        self._slope = (self._G.flatten(1) * direction).sum(dim=1, dtype=torch.float64)
        self._step = direction.view(shape)

    def _take_ended(self, tolerance: float, n_iter: int, all_of_them: bool) -> list[Ended]:
        """The problems that have ended, if any, which are dropped here."""
        penalised = (self._W * self._penalties.of_columns * self._W).sum(
            dim=(1, 2), dtype=torch.float64)
        self._objective = self._rows.losses(self._Z, self._wrong) + 0.5 * penalised
        gap = -0.5 * self._slope / self._objective
        # a comparison with NaN is false: what has overflown ends, too
        has_ended = self._stuck | ~(gap > tolerance)
        facts = torch.stack([has_ended.double(), self._objective, gap]).cpu().numpy()
        ends = np.ones(len(self._positions), bool) if all_of_them else facts[0] > 0
        if not ends.any():
            return []
        positions = torch.from_numpy(np.flatnonzero(ends)).to(self._W.device)
        weights = (self._W * self._penalties.factors)[positions]
        ended = Ended(self._positions[ends], weights, facts[1][ends], facts[2][ends], n_iter)
        self._keep(np.flatnonzero(~ends))
        return [ended]

    def _keep(self, left: NDArray[np.int64]) -> None:
        problems = torch.from_numpy(left).to(self._W.device)
        self._positions = self._positions[left]
        self._rows.keep(problems)
        self._pairs.keep(problems)
        self._preconditioner.keep(problems)
        self._penalties = self._penalties.of(problems)
        for name in ("_W", "_G", "_Z", "_P", "_wrong", "_step", "_slope", "_stuck", "_objective",
                     "_present"):
            setattr(self, name, getattr(self, name)[problems])
        self._all_present = bool(len(left)) and bool(self._present.all())

    def _search_line(self, tolerance: float) -> None:
        """Go along d until the slopes are nearly gone; see `models.softmax.lbfgs.LBFGS`.

        A problem that has ended stays where it is until the next look.
        """
        assert self._step is not None
        D = self._rows.from_label(self._design.logits(self._step * self._penalties.factors))
        penalised = self._step * self._penalties.of_columns
        of_penalty = _dots(self._W, penalised), _dots(self._step, penalised)
        ended = self._stuck | ~(-0.5 * self._slope > tolerance * self._objective)
        search = _LineSearch(self._slope, ended)
        slope, P = self._slope, self._P
        curvature = self._rows.derivatives(P, D)[1] + of_penalty[1]
        for steps in range(1, LINE_STEPS + 1):
            t = search.next_length(slope, curvature)
            Z = torch.addcmul(self._Z, t.float()[:, None, None], D)
            P = torch.softmax(Z, dim=1)
            slope, curvature = self._rows.derivatives(P, D)
            slope, curvature = slope + of_penalty[0] + t * of_penalty[1], curvature + of_penalty[1]
            search.take(slope)
            if steps >= STEPS_BEFORE_LOOK and search.all_ended():
                break
        self._stuck = self._stuck | ~search.ended
        self._Z, self._P = Z, P.masked_fill_(self._rows.is_label, 0.0)
        self._wrong = self._P.sum(dim=1)
        self._step *= search.t.float()[:, None, None]
        self._W = self._W + self._step


def _dots(a: Tensor, b: Tensor) -> Tensor:
    """Products (P,) of a and b (P, K, width), float64."""
    return (a * b).sum(dim=(1, 2), dtype=torch.float64)


class _LineSearch:
    """Newton's method on the slope, inside a bracket, for all problems; numbers are float64 (P,).

    Attributes
    ----------
    t : length along the direction
    ended : whether to stay there
    """

    def __init__(self, slope: Tensor, ended: Tensor) -> None:
        self.t, self.ended = torch.zeros_like(slope), ended
        self._low, self._high = torch.zeros_like(slope), torch.full_like(slope, torch.inf)
        self._small = SLOPE_LEFT * slope.abs()

    def next_length(self, slope: Tensor, curvature: Tensor) -> Tensor:
        """Newton's next length, or the middle of the bounds where that leaves them."""
        newton = self.t - slope / curvature
        inside = (curvature > 0) & (newton > self._low) & (newton < self._high)
        middle = torch.where(self._high.isinf(), (2 * self._low).clamp(min=1.0),
                             0.5 * (self._low + self._high))
        self.t = torch.where(self.ended, self.t, torch.where(inside, newton, middle))
        return self.t

    def take(self, slope: Tensor) -> None:
        """Take the slope at the present length."""
        self.ended = self.ended | (slope.abs() <= self._small)
        self._low = torch.where(slope < 0, self.t, self._low)
        self._high = torch.where(slope < 0, self._high, self.t)

    def all_ended(self) -> bool:
        """Whether no problem goes on."""
        return bool(self.ended.all())
