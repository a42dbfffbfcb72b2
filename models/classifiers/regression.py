"""Rows regressed onto targets by weighted least squares: the task, and its solutions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from models.arrays import Rows
from models.classifier import Array

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
Solved = Iterator[tuple[Matrix, Vector]]  # coef (d, K) and intercept (K,) at each strength


class Task(NamedTuple):
    """What is regressed onto what.

    Parameters
    ----------
    X : float32 (n, d), dense or CSR.
    targets : (n, K).
    weights : (n,), of each row's squared error.
    """

    X: Array
    targets: Matrix
    weights: Vector

    def taken(self, rows: Rows) -> tuple[Any, Matrix, Vector]:
        """Rows, targets and weights of some rows, in double precision."""
        return self.X[rows].astype(np.float64), self.targets[rows], self.weights[rows]


class Lines(NamedTuple):
    """A solution: row x has the scores x coef' + intercept; coef is (K, d), intercept (K,)."""

    coef: Matrix
    intercept: Vector

    def scores(self, X: Array) -> Matrix:
        """Scores (n, K) of rows (n, d)."""
        return np.asarray(X @ self.coef.T.astype(np.float32), dtype=np.float64) + self.intercept


class Regressed(NamedTuple):
    """A solution at one strength.

    Parameters
    ----------
    lines : learned from all rows.
    held_out : (n, K) scores of each fold's rows by what the others teach; None without folds.
    """

    lines: Lines
    held_out: Matrix | None


def factorised(squares: Matrix, strength: float) -> Matrix:
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
        raise ValueError(
            f"alpha {strength:g} is lost in the rounding errors of these features: "
            f"take {least:.0e} or more"
        ) from error


def solved(factor: Matrix, products: Matrix) -> Matrix:
    """Solution of the equations whose factorisation is given."""
    return np.asarray(scipy.linalg.cho_solve((factor, True), products, check_finite=False))
