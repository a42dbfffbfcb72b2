"""Ridge regressions of one set of rows onto several targets, for many strengths and without each of some folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple, Protocol

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import sparse

from features.encoder import FloatArray
from models.splits import Rows

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

# CSR rows are solved by conjugate gradients above so many rows and columns: below, factorising was faster
# (CSR of 20 words in a row, 8 classes, 3 strengths).
LARGEST_FACTORISED = 2000
TOLERANCE = 1e-7  # of a residual of the normal equations, relative to their right-hand side
MOST_ITERATIONS = 2000


class Task(NamedTuple):
    """What is regressed onto what.

    Parameters
    ----------
    X : float32 (n, d), dense or CSR.
    targets : (n, K).
    weights : (n,), of each row's squared error.
    """

    X: FloatArray | sparse.csr_matrix
    targets: Matrix
    weights: Vector


class Lines(NamedTuple):
    """A solution: row x has the scores x coef' + intercept; coef is (K, d), intercept (K,)."""

    coef: Matrix
    intercept: Vector

    def scores(self, X: Any) -> Matrix:
        """Scores (n, K) of rows (n, d)."""
        return np.asarray(X @ self.coef.T.astype(np.float32), dtype=np.float64) + self.intercept


class Regressed(NamedTuple):
    """The solution on all rows at one strength, and the scores (n, K) of rows held out of theirs (None: no folds)."""

    lines: Lines
    held_out: Matrix | None


Solved = Iterator[tuple[Matrix, Vector]]


class _Method(Protocol):
    """Solves the task without the rows of one fold, or of none (None), at each strength: coef (d, K), intercept."""

    def __call__(self, without: int | None, strengths: Sequence[float]) -> Solved: ...


def ridge(task: Task, strengths: Sequence[float], held_out: Sequence[Rows] = ()) -> list[Regressed]:
    """Minimise sum_i w_i |t_i - W x_i - b|^2 + alpha |W|^2 for every strength alpha; the intercept b is free.

    The products of the columns (or of the rows, where these are fewer) with each other are computed once. They serve
    every strength, and every fold whose rows are left out: what those add to the products is taken away again.

    Parameters
    ----------
    strengths : the alphas, above 0.
    held_out : folds: rows that stand in one each, together all rows. Each is scored by what the others teach.
    """
    method = _method(task)(task, held_out)
    whole = [Lines(coef.T, intercept) for coef, intercept in method(None, strengths)]
    if not held_out:
        return [Regressed(lines, None) for lines in whole]
    scores = np.empty((len(strengths), *task.targets.shape))
    for fold, rows in enumerate(held_out):
        part = task.X[rows]
        for number, (coef, intercept) in enumerate(method(fold, strengths)):
            scores[number, rows] = Lines(coef.T, intercept).scores(part)
    return [Regressed(lines, each) for lines, each in zip(whole, scores, strict=True)]


def _method(task: Task) -> Callable[[Task, Sequence[Rows]], _Method]:
    n, d = task.X.shape
    if sparse.issparse(task.X) and min(n, d) > LARGEST_FACTORISED:
        return _Gradients
    return _Primal if d <= n else _Dual


class _Moments(NamedTuple):
    """Weighted sums over rows: of x x' (d, d), x t' (d, K), x (d,), t (K,) and 1."""

    squares: Matrix
    products: Matrix
    rows: Vector
    targets: Vector
    weight: float

    def plus(self, other: _Moments) -> _Moments:
        return _Moments(self.squares + other.squares, self.products + other.products, self.rows + other.rows,
                        self.targets + other.targets, self.weight + other.weight)

    def minus(self, other: _Moments) -> _Moments:
        return _Moments(self.squares - other.squares, self.products - other.products, self.rows - other.rows,
                        self.targets - other.targets, self.weight - other.weight)


class _Primal:
    """From the products of the columns: (X'WX + alpha) coef = X'WT, all centred."""

    def __init__(self, task: Task, held_out: Sequence[Rows]) -> None:
        self.task = task
        self.folds = [self._moments(rows) for rows in held_out]
        self.whole = reduce(_Moments.plus, self.folds) if self.folds else self._moments(np.arange(task.X.shape[0]))

    def _moments(self, rows: Rows) -> _Moments:
        X, targets, weights = _taken(self.task, rows)
        roots = np.sqrt(weights)[:, None]
        weighted = X.multiply(roots).tocsr() if sparse.issparse(X) else X * roots
        squares = weighted.T @ weighted
        return _Moments(squares.toarray() if sparse.issparse(squares) else squares, weighted.T @ (targets * roots),
                        X.T @ weights, targets.T @ weights, float(weights.sum()))

    def __call__(self, without: int | None, strengths: Sequence[float]) -> Solved:
        sums = self.whole if without is None else self.whole.minus(self.folds[without])
        mean, level = sums.rows / sums.weight, sums.targets / sums.weight
        squares = sums.squares - np.outer(mean, sums.rows)
        products = sums.products - np.outer(mean, sums.targets)
        for strength in strengths:
            coef = _solved(squares, strength, products)
            yield coef, level - mean @ coef


class _Dual:
    """From the products of the rows: coef = X'W^1/2 (W^1/2 XX' W^1/2 + alpha)^-1 W^1/2 T, all centred."""

    def __init__(self, task: Task, held_out: Sequence[Rows]) -> None:
        self.task, self.held_out = task, held_out
        gram = _double(task.X) @ _double(task.X).T
        self.gram: Matrix = gram.toarray() if sparse.issparse(gram) else gram

    def __call__(self, without: int | None, strengths: Sequence[float]) -> Solved:
        rows = _others(self.task.X.shape[0], None if without is None else self.held_out[without])
        X, targets, weights = _taken(self.task, rows)
        shares, roots = weights / weights.sum(), np.sqrt(weights)[:, None]
        gram = self.gram[np.ix_(rows, rows)]
        means = gram @ shares
        gram -= means + (means - shares @ means)[:, None]
        gram *= roots * roots.T
        level = shares @ targets
        for strength in strengths:
            parts = roots * _solved(gram, strength, roots * (targets - level))
            parts -= parts.mean(axis=0)  # they add up to 0 but for rounding, so that X need not be centred
            coef = np.asarray(X.T @ parts)
            yield coef, level - (X.T @ shares) @ coef


class _Gradients:
    """By conjugate gradients on the columns, centred without filling them (Hestenes and Stiefel 1952)."""

    def __init__(self, task: Task, held_out: Sequence[Rows]) -> None:
        self.task, self.held_out = task, held_out

    def __call__(self, without: int | None, strengths: Sequence[float]) -> Solved:
        rows = _others(self.task.X.shape[0], None if without is None else self.held_out[without])
        X, targets, weights = _taken(self.task, rows)
        shares, columns = weights / weights.sum(), sparse.csr_matrix(X.T)
        mean, level = X.T @ shares, shares @ targets
        wanted = columns @ (weights[:, None] * (targets - level))

        def curved(coef: Matrix) -> Matrix:
            centred = X @ coef - mean @ coef
            pulled = weights[:, None] * centred
            return np.asarray(columns @ pulled - np.outer(mean, pulled.sum(axis=0)))

        found: dict[float, Matrix] = {}
        coef = np.zeros_like(wanted)
        for strength in sorted(strengths, reverse=True):  # each starts from the solution of the next stronger one
            coef = found[strength] = _conjugate_gradients(curved, strength, wanted, coef)
        for strength in strengths:
            yield found[strength], level - mean @ found[strength]


def _conjugate_gradients(curved: Callable[[Matrix], Matrix], strength: float, wanted: Matrix, start: Matrix) -> Matrix:
    """Solution (d, K) of (A + strength) x = wanted from a start; the K columns side by side."""
    found = start.copy()
    left = wanted - curved(found) - strength * found
    direction, size = left.copy(), np.square(left).sum(axis=0)
    enough = np.square(TOLERANCE) * np.square(wanted).sum(axis=0)
    for _ in range(MOST_ITERATIONS):
        open_ = size > enough
        if not open_.any():
            break
        ahead = curved(direction) + strength * direction
        along = np.einsum("dk,dk->k", direction, ahead)
        step = np.where(open_, size / np.where(open_, along, 1), 0)
        found += step * direction
        left -= step * ahead
        size, before = np.square(left).sum(axis=0), size
        direction = left + np.where(open_, size / np.where(open_, before, 1), 0) * direction
    return found


def _solved(squares: Matrix, strength: float, products: Matrix) -> Matrix:
    """(squares + strength)^-1 products, by Cholesky's factorisation."""
    lifted = squares.copy()
    lifted.flat[:: len(lifted) + 1] += strength
    factor = scipy.linalg.cho_factor(lifted, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(scipy.linalg.cho_solve(factor, products, check_finite=False))


def _taken(task: Task, rows: Rows) -> tuple[Any, Matrix, Vector]:
    return _double(task.X[rows]), task.targets[rows], task.weights[rows]


def _double(X: Any) -> Any:
    return X.astype(np.float64)


def _others(n: int, rows: Rows | None) -> Rows:
    return np.arange(n) if rows is None else np.setdiff1d(np.arange(n), rows)
