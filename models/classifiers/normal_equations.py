"""Ridge regression from the products of columns, or of rows, for every strength and fold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import scipy

from models.arrays import Rows
from models.classifiers.regression import (
    Lines,
    Matrix,
    Regressed,
    Solved,
    Task,
    Vector,
    factorised,
    solved,
)


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


class Primal:
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
        X, targets, weights = self.task.taken(rows)
        roots = np.sqrt(weights)[:, None]
        weighted = X.multiply(roots).tocsr() if scipy.sparse.issparse(X) else X * roots
        squares = weighted.T @ weighted
        return _Moments(
            squares.toarray() if scipy.sparse.issparse(squares) else squares,
            weighted.T @ (targets * roots),
            X.T @ weights,
            targets.T @ weights,
            float(weights.sum()),
        )

    def __call__(self, without: int | None, strengths: Sequence[float]) -> Solved:
        """See models.classifiers.least_squares.Method."""
        sums = self.whole if without is None else self.whole.minus(self.folds[without])
        mean, level = sums.rows / sums.weight, sums.targets / sums.weight
        squares = sums.squares - np.outer(mean, sums.rows)
        products = sums.products - np.outer(mean, sums.targets)
        for strength in strengths:
            coef = solved(factorised(squares, strength), products)
            yield coef, level - mean @ coef


class Dual:
    """From the products of the rows, all centred.

    coef = X'W^1/2 (W^1/2 XX' W^1/2 + alpha)^-1 W^1/2 T

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
        self.X, self.targets, weights = task.taken(order)
        self.shares, self.roots = weights / weights.sum(), np.sqrt(weights)[:, None]
        gram = self.X @ self.X.T
        self.gram: Matrix = gram.toarray() if scipy.sparse.issparse(gram) else gram
        means = self.gram @ self.shares
        self.gram -= means + (means - self.shares @ means)[:, None]
        self.gram *= self.roots * self.roots.T

    def regressed(self, strength: float) -> Regressed:
        """The solution on all rows, and the scores of the folds' rows without them."""
        level = self.shares @ self.targets
        factor = factorised(self.gram, strength)
        parts = solved(factor, self.roots * (self.targets - level))
        pulls = self.roots * parts
        # they add up to 0 but for rounding, so that X need not be centred
        pulls -= pulls.mean(axis=0)
        coef = np.asarray(self.X.T @ pulls)
        lines = Lines(coef.T, level - (self.X.T @ self.shares) @ coef)
        return Regressed(
            lines, self._left_out(factor, strength, strength * parts) if self.folds else None
        )

    def _left_out(self, factor: Matrix, strength: float, missed: Matrix) -> Matrix:
        """Scores (n, K) of every fold's rows by the others, from what all rows' solution misses."""
        inverse, _ = scipy.linalg.lapack.dtrtri(factor, lower=1)
        along = np.sqrt(self.shares)
        scores = np.empty_like(self.targets)
        for part, rows in self.folds:
            columns = inverse[part.start :, part]
            block = strength * (columns.T @ columns) - np.outer(along[part], along[part])
            wrong = scipy.linalg.solve(block, missed[part], assume_a="pos", check_finite=False)
            scores[rows] = self.targets[part] - wrong / self.roots[part]
        return scores
