"""Softmax regression with an L2 penalty: many training sets and strengths of one feature matrix at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.curvature import Leading
from models.descent import Descent
from models.principal_axes import Axes, Features, blocks_of, principal_axes, split_columns

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

REFRESHED = (0, 4, 16, 64, 256)  # iterations that renew the preconditioner
BLOCK = 300  # order of its exact block: a larger one saves iterations but not time
BLOCK_ROWS = 2000  # rows that suffice for it, at least
TOLERANCE = 2e-7  # estimated distance to the smallest objective; the estimate is up to 5 times too small


@dataclass(frozen=True, eq=False)
class Problem:
    """One fit: which rows to learn from, how strongly to regularise, and how to scale the columns.

    Centring is not a parameter: the intercept is not penalised, so it cannot change the solution.

    Parameters
    ----------
    rows : int (m,)
        Positions of the training rows.
    C : float
        Inverse strength of the penalty, as in scikit-learn's LogisticRegression.
    scale : float (d,), optional
        Factor of each column, for example 1 / standard deviation of the training rows.
    weights : float (m,), optional
        Weight of each training row's loss.
    """

    rows: IntArray
    C: float
    scale: NDArray[Any] | None = None
    weights: NDArray[Any] | None = None

    def training_set(self) -> tuple[bytes, bytes, bytes]:
        """What problems must share to be solved in one batch: all but C."""
        parts = (np.asarray(self.rows, np.int64), self.scale, self.weights)
        rows, scale, weights = (b"" if part is None else np.asarray(part).tobytes() for part in parts)
        return rows, scale, weights


@dataclass(frozen=True, eq=False)
class Solution:
    """Coefficients for the features as they are: the columns' scale is already multiplied in.

    Attributes
    ----------
    classes : int (k,), sorted codes of the classes among the training rows.
    coef : float32 (k, d), or (1, d) for two classes, as scikit-learn has it.
    intercept : float64 (k,) or (1,).
    objective : sum of cross-entropies + penalty / C at the solution.
    n_iter : passes over the features.
    gap : estimated distance to the smallest objective, relative to `objective`.
    converged : whether `gap` is within the tolerance.
    """

    classes: IntArray
    coef: FloatArray
    intercept: NDArray[np.float64]
    objective: float
    n_iter: int
    gap: float
    converged: bool

    def probabilities(self, features: Features, rows: IntArray, n_classes: int) -> NDArray[np.float64]:
        """Probabilities (m, n_classes) of the samples `rows`; 0 for classes absent from training."""
        logits = self.intercept + sum(
            block[rows] @ part.T for block, part in zip(
                blocks_of(features), split_columns(self.coef, blocks_of(features)), strict=True))
        if len(self.classes) == 2:
            logits = np.hstack([np.zeros_like(logits), logits])
        logits -= logits.max(axis=1, keepdims=True)
        odds = np.exp(logits)
        result = np.zeros((len(logits), n_classes))
        result[:, self.classes] = odds / odds.sum(axis=1, keepdims=True)
        return result


def solve(features: Features, y: IntArray, problems: Sequence[Problem], *,
          tolerance: float = TOLERANCE, max_iter: int = 500) -> list[Solution]:
    r"""Minimise every problem's objective; the results stand in the order of `problems`.

    The objective is that of scikit-learn's LogisticRegression (lbfgs), which is for three classes and more

    .. math:: \sum_i w_i \log\sum_k e^{z_{ik} - z_{iy_i}} + \frac{1}{2C}\|W\|^2,
        \quad z_{ik} = x_i \cdot W_k + b_k

    and for two classes the same with one vector :math:`W_1 - W_0` in the penalty. Problems that differ in
    C only are solved together: one wide product with the features per iteration serves them all. The method
    is L-BFGS (Nocedal & Wright, Numerical Optimization, algorithm 7.4) in the principal axes of the training
    rows, where the diagonal of the Hessian is a good preconditioner. Rows outside a problem's `rows` are
    never read for it.

    Parameters
    ----------
    features : float32 (n, d), CSR (n, d), or a list of such blocks, side by side
    y : int (n,), class codes from 0
    problems : fits to make
    tolerance : relative distance to the smallest objective at which a problem is left
    max_iter : most iterations of a problem; `converged` tells whether they sufficed

    Raises
    ------
    ValueError
        Where training rows hold fewer than two classes, or C is not positive; all such problems are named.
    """
    y = np.asarray(y)
    _check(y, problems)
    shared: dict[Any, list[int]] = {}
    for position, problem in enumerate(problems):
        shared.setdefault(problem.training_set(), []).append(position)
    solutions: dict[int, Solution] = {}
    for positions in shared.values():
        batch = [problems[position] for position in positions]
        solutions.update(zip(positions, _solve_training_set(features, y, batch, tolerance, max_iter),
                             strict=True))
    return [solutions[position] for position in range(len(problems))]


def _check(y: IntArray, problems: Sequence[Problem]) -> None:
    faults = []
    for position, problem in enumerate(problems):
        if not problem.C > 0:
            faults.append(f"problem {position}: C must be positive, not {problem.C}")
        classes = np.unique(y[problem.rows])
        if len(classes) < 2:
            faults.append(f"problem {position}: its {len(problem.rows)} training rows hold the classes "
                          f"{classes.tolist()}; at least two are needed")
    if faults:
        raise ValueError("\n".join(faults))


def _solve_training_set(features: Features, y: IntArray, batch: Sequence[Problem],
                        tolerance: float, max_iter: int) -> list[Solution]:
    first = batch[0]
    classes, codes = np.unique(y[first.rows], return_inverse=True)
    weights = None if first.weights is None else np.asarray(first.weights, np.float32)
    axes = principal_axes(features, first.rows, first.scale)
    # Two classes: scikit-learn penalises W1 - W0 only; with W0 = -W1 that is twice the penalty on both.
    doubled = 2.0 if len(classes) == 2 else 1.0
    descents = [Descent(codes, len(classes), doubled / problem.C, axes.width, weights) for problem in batch]
    _descend(axes, descents, tolerance, max_iter)
    coefs, intercepts = _stacked(axes.raw, [descent.W for descent in descents])
    return [_solution(descent, classes, coef, intercept, tolerance)
            for descent, coef, intercept in zip(descents, coefs, intercepts, strict=True)]


def _stacked(product: Callable[[FloatArray], Any], parts: Sequence[FloatArray]) -> list[Any]:
    """Apply `product` to all parts (c, .) in one go, and cut what comes out back into parts."""
    whole = product(np.concatenate(parts))
    if isinstance(whole, tuple):
        return [np.split(each, len(parts)) for each in whole]
    return np.split(whole, len(parts))


def _descend(axes: Axes, descents: list[Descent], tolerance: float, max_iter: int) -> None:
    """Iterate all problems together; those that have arrived leave the batch."""
    live, leading = descents, None
    for iteration in range(max_iter + 1):
        gradients = _stacked(axes.gradients, [descent.residual for descent in live])
        for descent, gradient in zip(live, gradients, strict=True):
            descent.arrive(gradient)
        if iteration in REFRESHED:
            leading = _renew_curvature(axes, live, leading)
        for descent in live:
            descent.turn()
        live = [descent for descent in live if not (descent.gap <= tolerance or descent.stuck)]
        if not live or iteration == max_iter:
            return
        moves = _stacked(axes.logits, [descent.direction for descent in live])
        for descent, move in zip(live, moves, strict=True):
            descent.step(move)


def _renew_curvature(axes: Axes, live: Sequence[Descent], leading: Leading | None) -> Leading:
    """Renew the preconditioners; the leading columns are chosen at the start, and used from then on."""
    squares = _stacked(axes.squares, [descent.curvature() for descent in live])
    for descent, each in zip(live, squares, strict=True):
        descent.complete(each, leading)
    if leading is not None:
        return leading
    spread = squares[0].sum(axis=0)
    spread[-1] = np.inf  # the intercept always leads
    columns = np.sort(np.argsort(spread)[-max(1, BLOCK // len(squares[0])):])
    every = max(1, axes.n_rows // BLOCK_ROWS)
    return Leading(columns, axes.take(columns, every), every)


def _solution(descent: Descent, classes: IntArray, coef: FloatArray, intercept: NDArray[np.float64],
              tolerance: float) -> Solution:
    if len(classes) == 2:
        coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
    return Solution(classes, coef, intercept, descent.objective, descent.n_iter, descent.gap,
                    descent.gap <= tolerance)
