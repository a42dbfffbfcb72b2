"""Ridge regression by conjugate gradients, for sparse rows that are too many to factorise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy

from models.arrays import Rows
from models.classifiers.regression import Matrix, Solved, Task

TOLERANCE = 1e-7  # of a residual of the normal equations, relative to their right-hand side
MOST_ITERATIONS = 2000


class Gradients:
    """Conjugate gradients on columns centred without filling them (Hestenes and Stiefel 1952)."""

    def __init__(self, task: Task, held_out: Sequence[Rows]) -> None:
        self.task, self.held_out = task, held_out

    def __call__(self, without: int | None, strengths: Sequence[float]) -> Solved:
        """See models.classifiers.least_squares.Method."""
        rows = np.arange(self.task.X.shape[0])
        if without is not None:
            rows = np.setdiff1d(rows, self.held_out[without])
        X, targets, weights = self.task.taken(rows)
        shares, columns = weights / weights.sum(), scipy.sparse.csr_matrix(X.T)
        mean, level = X.T @ shares, shares @ targets
        products = columns @ (weights[:, None] * (targets - level))

        def curved(coef: Matrix) -> Matrix:
            centred = X @ coef - mean @ coef
            pulled = weights[:, None] * centred
            return np.asarray(columns @ pulled - np.outer(mean, pulled.sum(axis=0)))

        solutions: dict[float, Matrix] = {}
        coef = np.zeros_like(products)
        # each starts from the solution of the next stronger one
        for strength in sorted(strengths, reverse=True):
            coef = solutions[strength] = _conjugate_gradients(curved, strength, products, coef)
        for strength in strengths:
            yield solutions[strength], level - mean @ solutions[strength]


def _conjugate_gradients(
    curved: Callable[[Matrix], Matrix], strength: float, products: Matrix, start: Matrix
) -> Matrix:
    """Solution (d, K) of (A + strength) x = products from a start; the K columns side by side."""
    solution = start.copy()
    left = products - curved(solution) - strength * solution
    direction, size = left.copy(), np.square(left).sum(axis=0)
    enough = np.square(TOLERANCE) * np.square(products).sum(axis=0)
    for _ in range(MOST_ITERATIONS):
        open_ = size > enough
        if not open_.any():
            break
        ahead = curved(direction) + strength * direction
        along = np.einsum("dk,dk->k", direction, ahead)
        step = np.where(open_, size / np.where(open_, along, 1), 0)
        solution += step * direction
        left -= step * ahead
        size, before = np.square(left).sum(axis=0), size
        direction = left + np.where(open_, size / np.where(open_, before, 1), 0) * direction
    return solution
