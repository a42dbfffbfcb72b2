"""Ridge regressions onto several targets, for many strengths, and without each of some folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import scipy

from models.arrays import Rows
from models.classifiers.conjugate_gradients import Gradients
from models.classifiers.normal_equations import Dual, Primal
from models.classifiers.regression import Lines, Regressed, Solved, Task

# CSR rows are solved by conjugate gradients above so many rows and columns. Measured with 20 words
# in a row, 8 classes, 5 strengths and 5 folds held out: factorising takes a fifth of the time for
# 400 rows, and as long for 1,300.
LARGEST_FACTORISED = 1300
# From the products of columns each fold takes a factorisation of its own, from those of rows all
# take a second one together: with five folds as dear where there are so many rows for each column.
PRICE_OF_FOLDS = 1.3


class Method(Protocol):
    """Solves a task at each strength without the rows of one fold, or of none (None)."""

    def __call__(self, without: int | None, strengths: Sequence[float]) -> Solved:
        """Coef (d, K) and intercept (K,) at each strength."""


def ridge(task: Task, strengths: Sequence[float], held_out: Sequence[Rows] = ()) -> list[Regressed]:
    """Minimise sum_i w_i |t_i - W x_i - b|^2 + alpha |W|^2 for every strength alpha.

    The intercept b is free. The products of the columns (or of the rows, where these are fewer)
    with each other are computed once. They serve every strength and every fold that is left out.

    Parameters
    ----------
    strengths : the alphas, above 0.
    held_out : folds: rows that stand in one each, together all rows. Each is scored by what the
        others teach.
    """
    n, d = task.X.shape
    if scipy.sparse.issparse(task.X) and min(n, d) > LARGEST_FACTORISED:
        return _fold_by_fold(task, Gradients(task, held_out), strengths, held_out)
    if PRICE_OF_FOLDS * d <= n:
        return _fold_by_fold(task, Primal(task, held_out), strengths, held_out)
    dual = Dual(task, held_out)
    return [dual.regressed(strength) for strength in strengths]


def _fold_by_fold(
    task: Task, method: Method, strengths: Sequence[float], held_out: Sequence[Rows]
) -> list[Regressed]:
    whole = [Lines(coef.T, intercept) for coef, intercept in method(None, strengths)]
    if not held_out:
        return [Regressed(lines, None) for lines in whole]
    scores = np.empty((len(strengths), *task.targets.shape))
    for fold, rows in enumerate(held_out):
        part = task.X[rows]
        for number, (coef, intercept) in enumerate(method(fold, strengths)):
            scores[number, rows] = Lines(coef.T, intercept).scores(part)
    return [Regressed(lines, of_lines) for lines, of_lines in zip(whole, scores, strict=True)]
