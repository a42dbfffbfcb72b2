"""Curvature of a softmax regression: an approximate Hessian that is cheap to build and to invert."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

# the intercept is not penalised; classified beyond doubt, nothing else curves it
FLOOR = np.float32(1e-6)
CACHED = 2**18  # numbers a processor keeps at hand
ALL = slice(None)


class Leading(NamedTuple):
    """The columns that vary most, for one in `every` rows: they tell enough about so few columns."""

    columns: IntArray
    values: FloatArray
    every: int


class Curvature:
    r"""Hessian at the present probabilities, exact for the leading columns and diagonal for the others.

    The Hessian is :math:`\sum_i w_i S_i \otimes x_i x_i^T` plus the penalty, with each row's second
    derivatives S by its logits. It is taken in some directions of the class space, one after the
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

    def complete(self, squares: FloatArray, leading: Leading | None) -> None:
        """Take the squared columns (c, width) under `row_weights`, and the leading columns."""
        self._squares = squares
        if leading is not None:
            self._columns, self._unpenalised = leading.columns, self._block(leading)
        self._forget()
        self._invert()

    def under(self, penalty: FloatArray) -> Curvature:
        """The same, completed as it is, with another penalty (width,)."""
        other = copy.copy(self)
        other._penalty = penalty
        other._invert()
        return other

    def _invert(self) -> None:
        self._diagonal, self._factor = np.maximum(self._squares + self._penalty, FLOOR), None
        if self._columns is None:
            return
        block = self._unpenalised.copy()
        block[np.diag_indices_from(block)] += np.tile(
            np.maximum(self._penalty[self._columns], FLOOR), len(self._squares)
        )
        try:
            self._factor = scipy.linalg.cho_factor(
                block, lower=True, overwrite_a=True, check_finite=False
            )
        # a penalty as small as the rounding errors: the diagonal will do
        except scipy.linalg.LinAlgError:
            self._factor = None

    def _forget(self) -> None:
        """Drop what is as large as the rows."""
        del self.row_weights

    def solve(self, vector: FloatArray) -> FloatArray:
        """Approximate inverse Hessian times `vector` (r, width), whose rows sum to zero where there are several."""
        turned = self._U.T @ vector
        result = turned / self._diagonal
        if self._factor is not None:
            block = scipy.linalg.cho_solve(
                self._factor, turned[:, self._columns].ravel(), check_finite=False
            )
            result[:, self._columns] = block.reshape(len(turned), -1)
        solution: FloatArray = self._U @ result
        return solution

    def _block(self, leading: Leading) -> FloatArray:
        """Lower triangle of the leading columns' Hessian, the penalty left out; those of a direction stand together."""
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
        for one in range(self._U.shape[1]):
            pairs = self._covariances(one, slice(0, one + 1), rows)
            weighted = (pairs.T[:, :, None] * values[:, None, :]).reshape(len(values), -1)
            block[one, :, :one + 1] += (values.T @ weighted).reshape(width, one + 1, width)

    def _covariances(self, one: int | slice, others: slice, rows: slice) -> FloatArray:
        """Second derivatives (c, m) of each row by a direction and c others."""
        raise NotImplementedError


class OneDirection(Curvature):
    """Of two classes with one logit.

    Parameters
    ----------
    spread : float32 (m,), second derivative of each row's weighted loss
    penalty : float32 (width,), of each column
    """

    def __init__(self, spread: FloatArray, penalty: FloatArray) -> None:
        self._U, self._penalty, self.row_weights = (
            np.ones((1, 1), np.float32),
            penalty,
            spread[None],
        )

    def _covariances(self, one: int | slice, others: slice, rows: slice) -> FloatArray:
        found: FloatArray = self.row_weights[:, rows]
        return found


class Softmaxed(Curvature):
    r"""Of many classes: :math:`S_i = \mathrm{diag}(p_i) - p_i p_i^T`.

    The directions are the eigenvectors of its mean: classes that are confused with each other curve
    the objective together. The constant direction has no curvature and is left out, before rounding
    could turn it into another one.

    Parameters
    ----------
    others : float32 (k, m), probabilities of the classes that are not the row's own; 0 for its own
    missed : float32 (m,), their sums
    codes : int (m,), class 0..k-1 of each row
    penalty : float32 (width,), of each column
    sample_weights : float32 (m,), optional
    """

    def __init__(self, others: FloatArray, missed: FloatArray, codes: IntArray, penalty: FloatArray,
                 sample_weights: FloatArray | None) -> None:
        self._penalty, self._sample_weights, self._others = penalty, sample_weights, others
        P = others.copy()
        P[codes, np.arange(len(codes))] = 1 - missed
        self._U = _directions(P, sample_weights)
        self._own, self._sums = np.take(self._U.T, codes, axis=1), self._U.T @ others
        self._means = self._sums - self._own * missed
        self.row_weights = np.maximum(self._covariances(ALL, ALL, ALL), 0.0)

    def _forget(self) -> None:
        super()._forget()
        del self._others, self._own, self._sums, self._means

    def _covariances(self, one: int | slice, others: slice, rows: slice) -> FloatArray:
        """Weighted covariances (c, m) under each row's probabilities: of a direction and c others, or of c and c.

        Directions are counted from the row's own class, so that only the other classes'
        probabilities are needed: they are exact where its own is almost 1.
        """
        own, sums, means = (each[:, rows] for each in (self._own, self._sums, self._means))
        products: FloatArray = self._U.T[one] * self._U.T[others]
        found: FloatArray = products @ self._others[:, rows]
        found -= (own[one] + means[one]) * means[others] + own[others] * sums[one]
        if self._sample_weights is not None:
            found *= self._sample_weights[rows]
        return found


def _directions(P: FloatArray, sample_weights: FloatArray | None) -> FloatArray:
    """Eigenvectors (k, k - 1), ascending, of the mean of diag(p) - pp' but for the constant one."""
    k = len(P)
    mean = -((P if sample_weights is None else P * sample_weights) @ P.T)
    np.fill_diagonal(mean, 0.0)
    np.fill_diagonal(mean, -mean.sum(axis=1))
    complement = scipy.linalg.helmert(k).T.astype(np.float32)
    return np.asarray(complement @ np.linalg.eigh(complement.T @ mean @ complement)[1], np.float32)
