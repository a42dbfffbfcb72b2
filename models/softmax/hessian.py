"""Preconditioner of L-BFGS: an approximate Hessian that is cheap to build and to invert."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import scipy

from features.block import FloatArray, IntArray

# the intercept is not penalised; where all rows are certain, nothing else keeps it positive
LEAST_DIAGONAL = np.float32(1e-6)
CACHED = 2**18  # numbers a processor keeps at hand
ALL = slice(None)


class LeadingColumns(NamedTuple):
    """The columns that vary most, for each `every`-th row: enough for so few columns."""

    columns: IntArray
    values: FloatArray
    every: int


class Preconditioner:
    r"""Hessian at the present probabilities: a dense block of leading columns, else its diagonal.

    The Hessian is :math:`\sum_i w_i S_i \otimes x_i x_i^T` plus the penalty, with each row's second
    derivatives S by its logits. It is taken in some directions U of the class space, one after the
    other, as if they did not depend on each other outside the leading columns. Where the columns
    are principal components, few of them carry most of what the diagonal misses.

    Attributes
    ----------
    row_weights : float32 (c, m), weight of each row in the diagonal, by direction
    """

    row_weights: FloatArray
    _U: FloatArray  # (r, c), directions
    _penalty: FloatArray  # (width,)
    _columns: IntArray | None = None  # the leading ones

    def complete(self, squares: FloatArray, leading: LeadingColumns | None) -> None:
        """Take the squared columns (c, width) under `row_weights`, and the leading columns."""
        self._squares = squares
        if leading is not None:
            self._columns, self._unpenalised = leading.columns, self._block(leading)
        self._free_memory()
        self._factorise()

    def with_penalty(self, penalty: FloatArray) -> Preconditioner:
        """The same, completed as it is, with another penalty (width,)."""
        other = copy.copy(self)
        other._penalty = penalty
        other._factorise()
        return other

    def _factorise(self) -> None:
        self._diagonal = np.maximum(self._squares + self._penalty, LEAST_DIAGONAL)
        self._factor = None
        if self._columns is None:
            return
        block = self._unpenalised.copy()
        block[np.diag_indices_from(block)] += np.tile(
            np.maximum(self._penalty[self._columns], LEAST_DIAGONAL), len(self._squares)
        )
        try:
            self._factor = scipy.linalg.cho_factor(
                block, lower=True, overwrite_a=True, check_finite=False
            )
        # a penalty as small as the rounding errors: the diagonal will do
        except scipy.linalg.LinAlgError:
            self._factor = None

    def _free_memory(self) -> None:
        """Drop what is as large as the rows."""
        del self.row_weights

    def solve(self, vector: FloatArray) -> FloatArray:
        """Approximate inverse Hessian times `vector` (r, width), whose rows sum to zero if many."""
        in_directions = self._U.T @ vector
        result = in_directions / self._diagonal
        if self._factor is not None:
            block = scipy.linalg.cho_solve(
                self._factor, in_directions[:, self._columns].ravel(), check_finite=False
            )
            result[:, self._columns] = block.reshape(len(in_directions), -1)
        solution: FloatArray = self._U @ result
        return solution

    def _block(self, leading: LeadingColumns) -> FloatArray:
        """Lower triangle of the leading columns' Hessian, without the penalty, by direction."""
        values = leading.values
        directions, width = self._U.shape[1], values.shape[1]
        block = np.zeros((directions, width, directions, width), np.float32)
        chunk = max(64, CACHED // (directions * width))
        for start in range(0, len(values), chunk):
            used = values[start:start + chunk]
            first = start * leading.every
            self._add_rows(
                block, slice(first, first + len(used) * leading.every, leading.every), used
            )
        block *= leading.every
        return block.reshape(directions * width, -1)

    def _add_rows(self, block: FloatArray, rows: slice, values: FloatArray) -> None:
        width = values.shape[1]
        for a in range(self._U.shape[1]):
            pairs = self._covariances(a, slice(0, a + 1), rows)
            weighted = (pairs.T[:, :, None] * values[:, None, :]).reshape(len(values), -1)
            block[a, :, :a + 1] += (values.T @ weighted).reshape(width, a + 1, width)

    def _covariances(self, a: int | slice, others: slice, rows: slice) -> FloatArray:
        """Second derivatives (c, m) of each row by direction a and c others."""
        raise NotImplementedError


class BinaryPreconditioner(Preconditioner):
    """Of two classes with one logit.

    Parameters
    ----------
    variances : float32 (m,), second derivative of each row's weighted loss
    penalty : float32 (width,), of each column
    """

    def __init__(self, variances: FloatArray, penalty: FloatArray) -> None:
        self._U, self._penalty = np.ones((1, 1), np.float32), penalty
        self.row_weights = variances[None]

    def _covariances(self, a: int | slice, others: slice, rows: slice) -> FloatArray:
        variances: FloatArray = self.row_weights[:, rows]
        return variances


class MulticlassPreconditioner(Preconditioner):
    r"""Of many classes: :math:`S_i = \mathrm{diag}(p_i) - p_i p_i^T`.

    The directions are the eigenvectors of its mean: classes that are confused with each other curve
    the objective together. The constant direction has no curvature and is left out, before rounding
    could turn it into another one.

    Parameters
    ----------
    others : float32 (k, m), probabilities of the classes that are not the row's label; 0 for it
    wrong : float32 (m,), their sums
    codes : int (m,), class 0..k-1 of each row
    penalty : float32 (width,), of each column
    sample_weights : float32 (m,), optional
    """

    def __init__(self, others: FloatArray, wrong: FloatArray, codes: IntArray, penalty: FloatArray,
                 sample_weights: FloatArray | None) -> None:
        self._penalty, self._sample_weights, self._others = penalty, sample_weights, others
        P = others.copy()
        P[codes, np.arange(len(codes))] = 1 - wrong
        self._U = _directions(P, sample_weights)
        self._at_label, self._sums = np.take(self._U.T, codes, axis=1), self._U.T @ others
        self._means = self._sums - self._at_label * wrong
        self.row_weights = np.maximum(self._covariances(ALL, ALL, ALL), 0.0)

    def _free_memory(self) -> None:
        super()._free_memory()
        del self._others, self._at_label, self._sums, self._means

    def _covariances(self, a: int | slice, others: slice, rows: slice) -> FloatArray:
        """Weighted covariances (c, m) under each row's probabilities.

        They are those of direction a with c others, or of c directions with themselves. Directions
        are counted from the row's label, so that only the other classes' probabilities are needed:
        they are exact where the label's is almost 1.
        """
        at_label, sums, means = (
            values[:, rows] for values in (self._at_label, self._sums, self._means)
        )
        products: FloatArray = self._U.T[a] * self._U.T[others]
        covariances: FloatArray = products @ self._others[:, rows]
        covariances -= (at_label[a] + means[a]) * means[others] + at_label[others] * sums[a]
        if self._sample_weights is not None:
            covariances *= self._sample_weights[rows]
        return covariances


def _directions(P: FloatArray, sample_weights: FloatArray | None) -> FloatArray:
    """Eigenvectors (k, k - 1) of the mean of diag(p) - pp', ascending, without the constant one."""
    k = len(P)
    mean = -((P if sample_weights is None else P * sample_weights) @ P.T)
    np.fill_diagonal(mean, 0.0)
    np.fill_diagonal(mean, -mean.sum(axis=1))
    complement = scipy.linalg.helmert(k).T.astype(np.float32)
    return np.asarray(complement @ np.linalg.eigh(complement.T @ mean @ complement)[1], np.float32)
