"""The rows of all training sets, block by block, and the products with them that a descent asks for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.softmax.matmul import times, transposed
from models.softmax.principal_axes import Indexed
from models.softmax.training_sets import Piece, TrainingSets

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

CHUNK = 2**18  # numbers squared at a time
SHARED = 2  # samples per distinct row from which it pays to keep them apart


class _Block:
    """One block over all rows, laid out in the order of the pieces."""

    def logits(self, weights: FloatArray, piece: int) -> FloatArray:
        """Weights (c, r) times the rows of a piece: (c, m)."""
        raise NotImplementedError

    def gradients(self, residuals: FloatArray, piece: int) -> FloatArray:
        """Residuals (c, m) times the rows of a piece: (c, r)."""
        raise NotImplementedError

    def squares(self, weights: FloatArray, piece: int) -> FloatArray:
        """Weights (c, m) times the squared rows of a piece: (c, r)."""
        raise NotImplementedError

    def take(self, rows: IntArray, columns: IntArray) -> FloatArray:
        """Some columns of some rows."""
        raise NotImplementedError


class _Dense(_Block):
    """Nearly all samples differ: the rows lie as the pieces need them."""

    def __init__(self, A: FloatArray, pieces: Sequence[Piece], several: bool) -> None:
        self.A, self.parts = A, [A[piece.start:piece.stop] for piece in pieces]
        self.turned = [_turned(part, several) for part in self.parts]

    def logits(self, weights: FloatArray, piece: int) -> FloatArray:
        return times(weights, self.parts[piece])

    def gradients(self, residuals: FloatArray, piece: int) -> FloatArray:
        return times(residuals, self.turned[piece])

    def squares(self, weights: FloatArray, piece: int) -> FloatArray:
        return _squares(weights, self.turned[piece])

    def take(self, rows: IntArray, columns: IntArray) -> FloatArray:
        return self.A[np.ix_(rows, columns)]


class _Repeated(_Block):
    """Few distinct rows for many samples: products are taken with the distinct ones only."""

    def __init__(
        self, A: FloatArray, index: IntArray, pieces: Sequence[Piece], several: bool
    ) -> None:
        self.A, self.turned, self.index = A, _turned(A, several), index
        self.places = [index[piece.start:piece.stop] for piece in pieces]
        self.sums = [
            sparse.csr_matrix(
                (np.ones(len(place), np.float32), (place, np.arange(len(place)))),
                shape=(len(A), len(place)),
            )
            for place in self.places
        ]

    def logits(self, weights: FloatArray, piece: int) -> FloatArray:
        return np.take(times(weights, self.A), self.places[piece], axis=1)

    def _summed(self, values: FloatArray, piece: int) -> FloatArray:
        summed: FloatArray = self.sums[piece] @ np.ascontiguousarray(values.T)
        return np.ascontiguousarray(summed.T)

    def gradients(self, residuals: FloatArray, piece: int) -> FloatArray:
        return times(self._summed(residuals, piece), self.turned)

    def squares(self, weights: FloatArray, piece: int) -> FloatArray:
        return _squares(self._summed(weights, piece), self.turned)

    def take(self, rows: IntArray, columns: IntArray) -> FloatArray:
        return self.A[np.ix_(self.index[rows], columns)]


class _Sparse(_Block):
    """CSR rows."""

    def __init__(self, X: sparse.csr_matrix, pieces: Sequence[Piece]) -> None:
        self.X = X
        self.parts = [X[piece.start:piece.stop] for piece in pieces]
        self.turned = [part.T.tocsr() for part in self.parts]

    def logits(self, weights: FloatArray, piece: int) -> FloatArray:
        result: FloatArray = (self.parts[piece] @ np.ascontiguousarray(weights.T)).T
        return result

    def gradients(self, residuals: FloatArray, piece: int) -> FloatArray:
        result: FloatArray = (self.turned[piece] @ np.ascontiguousarray(residuals.T)).T
        return result

    def squares(self, weights: FloatArray, piece: int) -> FloatArray:
        squared = self.turned[piece].copy()
        squared.data = np.square(squared.data)
        result: FloatArray = (squared @ np.ascontiguousarray(weights.T)).T
        return result

    def take(self, rows: IntArray, columns: IntArray) -> FloatArray:
        chosen: FloatArray = self.X[rows][:, columns].toarray()
        return chosen


def _turned(A: FloatArray, several: bool) -> FloatArray:
    """A' (d, n), copied where several vectors at once make that worth it."""
    return transposed(A) if several else A.T


def _squares(weights: FloatArray, turned: FloatArray) -> FloatArray:
    """Weights (c, m) times the squares of rows (m, d) that are given transposed: (c, d)."""
    total = np.empty((len(weights), len(turned)), np.float32)
    step = max(1, CHUNK // turned.shape[1])
    for start in range(0, len(turned), step):
        total[:, start:start + step] = times(weights, np.square(turned[start:start + step]))
    return total


class Arena:
    """All blocks side by side, and a last column of ones for the intercept.

    Parameters
    ----------
    blocks : the blocks with the row of each sample
    sets : the training sets among the samples
    several : whether products with more than one vector at a time are to come

    Attributes
    ----------
    width : columns of all blocks, and one
    columns : slice of each block's columns
    rotated : whether any block's columns are principal components
    alike : whether all columns are dense ones as they were given
    """

    def __init__(self, blocks: Sequence[Indexed], sets: TrainingSets, several: bool) -> None:
        self.pieces, self.sets = sets.pieces, sets.sets
        self.rotated = any(block.turned.rotated for block in blocks)
        self.alike = all(block.turned.alike for block in blocks)
        self._blocks = [_laid_out(block, sets, several) for block in blocks]
        ends = np.cumsum([0, *(block.turned.width for block in blocks)]).tolist()
        self.columns = [slice(start, stop) for start, stop in pairwise(ends)]
        self.width = ends[-1] + 1

    def logits(self, weights: FloatArray, piece: int) -> FloatArray:
        """Weights (c, width) times the rows of a piece: (c, m)."""
        result = self._blocks[0].logits(weights[:, self.columns[0]], piece)
        for block, columns in zip(self._blocks[1:], self.columns[1:], strict=True):
            result += block.logits(weights[:, columns], piece)
        result += weights[:, -1:]
        return result

    def gradients(self, residuals: FloatArray, piece: int) -> FloatArray:
        """Residuals (c, m) times the rows of a piece: (c, width)."""
        return self._joined(
            [block.gradients(residuals, piece) for block in self._blocks], residuals
        )

    def squares(self, weights: FloatArray, piece: int) -> FloatArray:
        """Weights (c, m) times the squared rows of a piece: (c, width)."""
        return self._joined([block.squares(weights, piece) for block in self._blocks], weights)

    @staticmethod
    def _joined(parts: list[Any], values: FloatArray) -> FloatArray:
        return np.concatenate([*parts, values.sum(axis=1, keepdims=True)], axis=1)

    def take(self, rows: IntArray, columns: IntArray) -> FloatArray:
        """Ascending `columns` of some rows: (number of rows, number of columns)."""
        found = [
            block.take(rows, columns[(columns >= span.start) & (columns < span.stop)] - span.start)
            for block, span in zip(self._blocks, self.columns, strict=True)
        ]
        ones = np.ones((len(rows), int(columns[-1] == self.width - 1)), np.float32)
        return np.concatenate([*found, ones], axis=1)


def _laid_out(block: Indexed, sets: TrainingSets, several: bool) -> _Block:
    rows, index = block.turned.rows, block.index[sets.samples]
    if sparse.issparse(rows):
        return _Sparse(rows[index], sets.pieces)
    if len(index) >= SHARED * rows.shape[0]:
        return _Repeated(rows, index, sets.pieces, several)
    in_order = len(index) == rows.shape[0] and bool((index == np.arange(len(index))).all())
    return _Dense(rows if in_order else rows[index], sets.pieces, several)
