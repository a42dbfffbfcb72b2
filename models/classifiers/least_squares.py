"""Ridge regressions of one set of rows onto several targets, for many strengths and without each of some folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple, Protocol

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import sparse

from features.block import FloatArray
from models.classifiers.inner_folds import Rows

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

# CSR rows are solved by conjugate gradients above so many rows and columns. Measured with 20 words
# in a row, 8 classes, 5 strengths and 5 folds held out: factorising takes a fifth of the time for
# 400 rows, and as long for 1,300.
LARGEST_FACTORISED = 1300
# From the products of columns each fold takes a factorisation of its own, from those of rows all
# take a second one together: with five folds as dear where there are so many rows for each column.
PRICE_OF_FOLDS = 1.3
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

    The products of the columns (or of the rows, where these are fewer) with each other are computed
    once. They serve every strength and every fold that is left out.

    Parameters
    ----------
    strengths : the alphas, above 0.
    held_out : folds: rows that stand in one each, together all rows. Each is scored by what the
        others teach.
    """
    n, d = task.X.shape
    if sparse.issparse(task.X) and min(n, d) > LARGEST_FACTORISED:
        return _fold_by_fold(task, _Gradients(task, held_out), strengths, held_out)
    if PRICE_OF_FOLDS * d <= n:
        return _fold_by_fold(task, _Primal(task, held_out), strengths, held_out)
    dual = _Dual(task, held_out)
    return [dual.regressed(strength) for strength in strengths]


def _fold_by_fold(
    task: Task, method: _Method, strengths: Sequence[float], held_out: Sequence[Rows]
) -> list[Regressed]:
    whole = [Lines(coef.T, intercept) for coef, intercept in method(None, strengths)]
    if not held_out:
        return [Regressed(lines, None) for lines in whole]
    scores = np.empty((len(strengths), *task.targets.shape))
    for fold, rows in enumerate(held_out):
        part = task.X[rows]
        for number, (coef, intercept) in enumerate(method(fold, strengths)):
            scores[number, rows] = Lines(coef.T, intercept).scores(part)
    return [Regressed(lines, each) for lines, each in zip(whole, scores, strict=True)]


class _Moments(NamedTuple):
    """Weighted sums over rows: of x x' (d, d), x t' (d, K), x (d,), t (K,) and 1."""

    squares: Matrix
    products: Matrix
    rows: Vector
    targets: Vector
    weight: float

    def plus(self, other: _Moments) -> _Moments:
        return _Moments(
            self.squares + other.squares,
            self.products + other.products,
            self.rows + other.rows,
            self.targets + other.targets,
            self.weight + other.weight,
        )

    def minus(self, other: _Moments) -> _Moments:
        return _Moments(
            self.squares - other.squares,
            self.products - other.products,
            self.rows - other.rows,
            self.targets - other.targets,
            self.weight - other.weight,
        )


class _Primal:
    """From the products of the columns: (X'WX + alpha) coef = X'WT, all centred."""

    def __init__(self, task: Task, held_out: Sequence[Rows]) -> None:
        self.task = task
        self.folds = [self._moments(rows) for rows in held_out]
        self.whole = (
            reduce(_Moments.plus, self.folds)
            if self.folds
            else self._moments(np.arange(task.X.shape[0]))
        )

    def _moments(self, rows: Rows) -> _Moments:
        X, targets, weights = _taken(self.task, rows)
        roots = np.sqrt(weights)[:, None]
        weighted = X.multiply(roots).tocsr() if sparse.issparse(X) else X * roots
        squares = weighted.T @ weighted
        return _Moments(
            squares.toarray() if sparse.issparse(squares) else squares,
            weighted.T @ (targets * roots),
            X.T @ weights,
            targets.T @ weights,
            float(weights.sum()),
        )

    def __call__(self, without: int | None, strengths: Sequence[float]) -> Solved:
        sums = self.whole if without is None else self.whole.minus(self.folds[without])
        mean, level = sums.rows / sums.weight, sums.targets / sums.weight
        squares = sums.squares - np.outer(mean, sums.rows)
        products = sums.products - np.outer(mean, sums.targets)
        for strength in strengths:
            coef = _solved(_factor(squares, strength), products)
            yield coef, level - mean @ coef


class _Dual:
    """From the products of the rows: coef = X'W^1/2 (W^1/2 XX' W^1/2 + alpha)^-1 W^1/2 T, all centred.

    A fold f that is left out takes no factorisation of its own: with H = W^1/2 XX' W^1/2 (... +
    alpha)^-1 + ss', where s is the unit vector along W^1/2 1, its rows are missed by (I - H)_ff^-1
    ((I - H) W^1/2 T)_f (An et al. 2007). The inverse of the triangular factor gives the blocks of I
    - H.
    """

    def __init__(self, task: Task, held_out: Sequence[Rows]) -> None:
        order = np.concatenate(held_out) if held_out else np.arange(task.X.shape[0])
        ends = np.cumsum([len(rows) for rows in held_out])
        self.folds = [
            (slice(end - len(rows), end), rows) for end, rows in zip(ends, held_out, strict=True)
        ]
        self.X, self.targets, weights = _taken(task, order)
        self.shares, self.roots = weights / weights.sum(), np.sqrt(weights)[:, None]
        gram = self.X @ self.X.T
        self.gram: Matrix = gram.toarray() if sparse.issparse(gram) else gram
        means = self.gram @ self.shares
        self.gram -= means + (means - self.shares @ means)[:, None]
        self.gram *= self.roots * self.roots.T

    def regressed(self, strength: float) -> Regressed:
        """The solution on all rows, and the scores of the folds' rows without them."""
        level = self.shares @ self.targets
        factor = _factor(self.gram, strength)
        parts = _solved(factor, self.roots * (self.targets - level))
        pulls = self.roots * parts
        # they add up to 0 but for rounding, so that X need not be centred
        pulls -= pulls.mean(axis=0)
        coef = np.asarray(self.X.T @ pulls)
        lines = Lines(coef.T, level - (self.X.T @ self.shares) @ coef)
        return Regressed(
            lines, self._left_out(factor, strength, strength * parts) if self.folds else None
        )

    def _left_out(self, factor: Matrix, strength: float, missed: Matrix) -> Matrix:
        """Scores (n, K) of every fold's rows by the others, from what the solution on all rows misses."""
        inverse, _ = scipy.linalg.lapack.dtrtri(factor, lower=1)
        along = np.sqrt(self.shares)
        scores = np.empty_like(self.targets)
        for part, rows in self.folds:
            columns = inverse[part.start:, part]
            block = strength * (columns.T @ columns) - np.outer(along[part], along[part])
            wrong = scipy.linalg.solve(block, missed[part], assume_a="pos", check_finite=False)
            scores[rows] = self.targets[part] - wrong / self.roots[part]
        return scores


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
        # each starts from the solution of the next stronger one
        for strength in sorted(strengths, reverse=True):
            coef = found[strength] = _conjugate_gradients(curved, strength, wanted, coef)
        for strength in strengths:
            yield found[strength], level - mean @ found[strength]


def _conjugate_gradients(
    curved: Callable[[Matrix], Matrix], strength: float, wanted: Matrix, start: Matrix
) -> Matrix:
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


def _factor(squares: Matrix, strength: float) -> Matrix:
    """Lower triangle of Cholesky's factorisation of squares + strength.

    Raises
    ------
    ValueError
        Where rounding errors outweigh the strength.
    """
    lifted = squares.copy()
    lifted.flat[:: len(lifted) + 1] += strength
    try:
        return np.asarray(
            scipy.linalg.cholesky(lifted, lower=True, overwrite_a=True, check_finite=False)
        )
    except np.linalg.LinAlgError as error:
        least = len(squares) * np.finfo(np.float64).eps * float(squares.diagonal().max())
        raise ValueError(f"alpha {strength:g} is lost in the rounding errors of these features: take {least:.0e} "
                         "or more") from error


def _solved(factor: Matrix, products: Matrix) -> Matrix:
    return np.asarray(scipy.linalg.cho_solve((factor, True), products, check_finite=False))


def _taken(task: Task, rows: Rows) -> tuple[Any, Matrix, Vector]:
    return _double(task.X[rows]), task.targets[rows], task.weights[rows]


def _double(X: Any) -> Any:
    return X.astype(np.float64)


def _others(n: int, rows: Rows | None) -> Rows:
    return np.arange(n) if rows is None else np.setdiff1d(np.arange(n), rows)
