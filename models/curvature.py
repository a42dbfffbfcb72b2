"""Curvature of a softmax regression: an approximate Hessian that is cheap to build and to invert."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

FLOOR = np.float32(1e-6)  # the intercept is not penalised; classified beyond doubt, nothing else curves it
CACHED = 2**18  # numbers a processor keeps at hand


class Leading(NamedTuple):
    """The columns that vary most, for one in `every` rows: they tell enough about so few columns."""

    columns: IntArray
    values: FloatArray
    every: int


class Curvature:
    r"""Hessian at the present probabilities, exact for the leading columns and diagonal for the others.

    The Hessian is :math:`\sum_i w_i (\mathrm{diag}(p_i) - p_i p_i^T) \otimes x_i x_i^T` plus the penalty.
    It is taken in the directions of the class space that are the eigenvectors of the first factor's mean:
    classes that are confused with each other curve the objective together. The constant direction has no
    curvature and is left out. Where the columns are principal components, few of them carry most of what
    the diagonal misses.

    Parameters
    ----------
    P : float32 (k, m), probabilities
    penalty : float32 (width,), of each column
    sample_weights : float32 (m,), optional

    Attributes
    ----------
    row_weights : float32 (k - 1, m), weight of each row in the diagonal, by direction
    """

    def __init__(self, P: FloatArray, penalty: FloatArray, sample_weights: FloatArray | None) -> None:
        self._P, self._penalty, self._sample_weights = P, penalty, sample_weights
        weighted = P if sample_weights is None else P * sample_weights
        mean = np.diag(weighted.sum(axis=1)) - weighted @ P.T
        self._U: FloatArray = np.linalg.eigh(mean)[1][:, 1:]
        self.row_weights: FloatArray = np.square(self._U.T) @ P - np.square(self._U.T @ P)
        np.maximum(self.row_weights, 0.0, out=self.row_weights)
        if sample_weights is not None:
            self.row_weights *= sample_weights

    def complete(self, squares: FloatArray, leading: Leading | None) -> None:
        """Take the squared columns (k - 1, width) under `row_weights`, and the leading columns."""
        self._diagonal = np.maximum(squares + self._penalty, FLOOR)
        self._factor = None
        if leading is not None:
            self._columns = leading.columns
            try:
                self._factor = scipy.linalg.cho_factor(self._block(leading), lower=True, check_finite=False)
            except scipy.linalg.LinAlgError:  # a penalty as small as the rounding errors: the diagonal will do
                self._factor = None
        del self._P, self.row_weights

    def solve(self, vector: FloatArray) -> FloatArray:
        """Approximate inverse Hessian times `vector` (k, width), of which the classes sum to zero."""
        turned = self._U.T @ vector
        result = turned / self._diagonal
        if self._factor is not None:
            block = scipy.linalg.cho_solve(self._factor, turned[:, self._columns].ravel(), check_finite=False)
            result[:, self._columns] = block.reshape(len(turned), -1)
        solution: FloatArray = self._U @ result
        return solution

    def _block(self, leading: Leading) -> FloatArray:
        """Lower triangle of the Hessian of the leading columns; those of a direction stand together."""
        P, values = self._P[:, ::leading.every], leading.values
        weights = None if self._sample_weights is None else self._sample_weights[::leading.every]
        directions, width = self._U.shape[1], values.shape[1]
        block = np.zeros((directions, width, directions, width), np.float32)
        chunk = max(64, CACHED // (directions * width))
        for start in range(0, len(values), chunk):
            rows = slice(start, start + chunk)
            self._add_rows(block, P[:, rows], values[rows], None if weights is None else weights[rows])
        block *= leading.every
        result = block.reshape(directions * width, -1)
        result[np.diag_indices_from(result)] += np.tile(np.maximum(self._penalty[leading.columns], FLOOR),
                                                        directions)
        return result

    def _add_rows(self, block: FloatArray, P: FloatArray, values: FloatArray,
                  weights: FloatArray | None) -> None:
        turned, width = self._U.T @ P, values.shape[1]
        for one, direction in enumerate(self._U.T):
            others = slice(0, one + 1)
            pairs = (direction * self._U.T[others]) @ P - turned[one] * turned[others]
            if weights is not None:
                pairs *= weights
            weighted = (pairs.T[:, :, None] * values[:, None, :]).reshape(len(values), -1)
            block[one, :, others] += (values.T @ weighted).reshape(width, one + 1, width)
