"""The design matrix: the rows of all training sets, block by block, and the products with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import scipy

from features.block import FloatArray, IntArray
from models.softmax.design_matrix.mapped import let_go, mapped_tiles, reordered, tiles
from models.softmax.design_matrix.products import matmul_transposed, transposed
from models.softmax.design_matrix.training_sets import RowGroup, TrainingSets
from models.softmax.design_matrix.transformed_block import IndexedBlock

CHUNK = 2**18  # numbers squared at a time
REPEATS = 2  # samples per distinct row from which it pays to multiply with the distinct ones only


class _DesignBlock:
    """One block over all rows, in the order of the row groups."""

    def logits(self, weights: FloatArray, group: int) -> FloatArray:
        """Weights (c, r) times the rows of a group: (c, m)."""
        raise NotImplementedError

    def gradients(self, residuals: FloatArray, group: int) -> FloatArray:
        """Residuals (c, m) times the rows of a group: (c, r)."""
        raise NotImplementedError

    def squares(self, weights: FloatArray, group: int) -> FloatArray:
        """Weights (c, m) times the squared rows of a group: (c, r)."""
        raise NotImplementedError

    def take(self, rows: IntArray, columns: IntArray) -> FloatArray:
        """Some columns of some rows."""
        raise NotImplementedError


class _DenseBlock(_DesignBlock):
    """Nearly all samples differ: the rows lie as the groups need them."""

    def __init__(self, X: FloatArray, groups: Sequence[RowGroup], several: bool) -> None:
        self.X, self.parts = X, [X[group.start:group.stop] for group in groups]
        self.transposed = [_transposed(part, several) for part in self.parts]

    def logits(self, weights: FloatArray, group: int) -> FloatArray:
        return matmul_transposed(weights, self.parts[group])

    def gradients(self, residuals: FloatArray, group: int) -> FloatArray:
        return matmul_transposed(residuals, self.transposed[group])

    def squares(self, weights: FloatArray, group: int) -> FloatArray:
        return _squares(weights, self.transposed[group])

    def take(self, rows: IntArray, columns: IntArray) -> FloatArray:
        return self.X[np.ix_(rows, columns)]


class _MappedBlock(_DesignBlock):
    """Rows in a file: each is read once for a product, and none is copied as a whole."""

    def __init__(self, X: FloatArray, groups: Sequence[RowGroup]) -> None:
        self.X, self.parts = X, [X[group.start:group.stop] for group in groups]

    def logits(self, weights: FloatArray, group: int) -> FloatArray:
        part = self.parts[group]
        result = np.empty((len(weights), len(part)), np.float32)
        for tile, rows in mapped_tiles(part):
            result[:, tile] = matmul_transposed(weights, rows)
        return result

    def gradients(self, residuals: FloatArray, group: int) -> FloatArray:
        return self._summed(residuals, group, lambda rows: rows)

    def squares(self, weights: FloatArray, group: int) -> FloatArray:
        return self._summed(weights, group, np.square)

    def _summed(
        self, values: FloatArray, group: int, of_rows: Callable[[FloatArray], FloatArray]
    ) -> FloatArray:
        part = self.parts[group]
        total = np.zeros((len(values), part.shape[1]), np.float32)
        for tile, rows in mapped_tiles(part):
            total += values[:, tile] @ of_rows(rows)
        return total

    def take(self, rows: IntArray, columns: IntArray) -> FloatArray:
        chosen = np.empty((len(rows), len(columns)), np.float32)
        for tile in tiles(len(rows), self.X.shape[1]):
            chosen[tile] = self.X[rows[tile]][:, columns]
            let_go(self.X)
        return chosen


class _RepeatedBlock(_DesignBlock):
    """Few distinct rows for many samples: products are taken with the distinct ones only."""

    def __init__(
        self, X: FloatArray, index: IntArray, groups: Sequence[RowGroup], several: bool
    ) -> None:
        self.X, self.transposed, self.index = X, _transposed(X, several), index
        self.indices = [index[group.start:group.stop] for group in groups]
        self.sums = [
            scipy.sparse.csr_matrix(
                (np.ones(len(of_group), np.float32), (of_group, np.arange(len(of_group)))),
                shape=(len(X), len(of_group)),
            )
            for of_group in self.indices
        ]

    def logits(self, weights: FloatArray, group: int) -> FloatArray:
        return np.take(matmul_transposed(weights, self.X), self.indices[group], axis=1)

    def _summed(self, values: FloatArray, group: int) -> FloatArray:
        summed: FloatArray = self.sums[group] @ np.ascontiguousarray(values.T)
        return np.ascontiguousarray(summed.T)

    def gradients(self, residuals: FloatArray, group: int) -> FloatArray:
        return matmul_transposed(self._summed(residuals, group), self.transposed)

    def squares(self, weights: FloatArray, group: int) -> FloatArray:
        return _squares(self._summed(weights, group), self.transposed)

    def take(self, rows: IntArray, columns: IntArray) -> FloatArray:
        return self.X[np.ix_(self.index[rows], columns)]


class _SparseBlock(_DesignBlock):
    """CSR rows."""

    def __init__(self, X: scipy.sparse.csr_matrix, groups: Sequence[RowGroup]) -> None:
        self.X = X
        self.parts = [X[group.start:group.stop] for group in groups]
        self.transposed = [part.T.tocsr() for part in self.parts]

    def logits(self, weights: FloatArray, group: int) -> FloatArray:
        result: FloatArray = (self.parts[group] @ np.ascontiguousarray(weights.T)).T
        return result

    def gradients(self, residuals: FloatArray, group: int) -> FloatArray:
        result: FloatArray = (self.transposed[group] @ np.ascontiguousarray(residuals.T)).T
        return result

    def squares(self, weights: FloatArray, group: int) -> FloatArray:
        squared = self.transposed[group].copy()
        squared.data = np.square(squared.data)
        result: FloatArray = (squared @ np.ascontiguousarray(weights.T)).T
        return result

    def take(self, rows: IntArray, columns: IntArray) -> FloatArray:
        chosen: FloatArray = self.X[rows][:, columns].toarray()
        return chosen


def _transposed(X: FloatArray, several: bool) -> FloatArray:
    """X' (d, n), copied where several vectors at once make that worth it."""
    return transposed(X) if several else X.T


def _squares(weights: FloatArray, columns: FloatArray) -> FloatArray:
    """Weights (c, m) times the squares of rows (m, d) that are given transposed: (c, d)."""
    total = np.empty((len(weights), len(columns)), np.float32)
    step = max(1, CHUNK // columns.shape[1])
    for start in range(0, len(columns), step):
        squared = np.square(columns[start:start + step])
        total[:, start:start + step] = matmul_transposed(weights, squared)
    return total


class DesignMatrix:
    """All blocks side by side, and a last column of ones for the intercept.

    Parameters
    ----------
    blocks : the blocks with the row of each sample
    sets : the training sets among the samples
    several : whether products with more than one vector at a time are to come

    Attributes
    ----------
    width : columns of all blocks, and 1
    columns : slice of each block's columns
    rotated : whether any block's columns are principal components
    dense_as_given : whether all columns are dense ones as they were given
    """

    def __init__(
        self, blocks: Sequence[IndexedBlock], sets: TrainingSets, several: bool
    ) -> None:
        self.groups, self.sets = sets.groups, sets.sets
        self.rotated = any(block.transformed.rotated for block in blocks)
        self.dense_as_given = all(block.transformed.dense_as_given for block in blocks)
        self._blocks = [_design_block(block, sets, several) for block in blocks]
        ends = np.cumsum([0, *(block.transformed.width for block in blocks)]).tolist()
        self.columns = [slice(start, stop) for start, stop in pairwise(ends)]
        self.width = ends[-1] + 1

    def logits(self, weights: FloatArray, group: int) -> FloatArray:
        """Weights (c, width) times the rows of a group: (c, m)."""
        result = self._blocks[0].logits(weights[:, self.columns[0]], group)
        for block, columns in zip(self._blocks[1:], self.columns[1:], strict=True):
            result += block.logits(weights[:, columns], group)
        result += weights[:, -1:]
        return result

    def gradients(self, residuals: FloatArray, group: int) -> FloatArray:
        """Residuals (c, m) times the rows of a group: (c, width)."""
        products = [block.gradients(residuals, group) for block in self._blocks]
        return self._with_intercept(products, residuals)

    def squares(self, weights: FloatArray, group: int) -> FloatArray:
        """Weights (c, m) times the squared rows of a group: (c, width)."""
        products = [block.squares(weights, group) for block in self._blocks]
        return self._with_intercept(products, weights)

    @staticmethod
    def _with_intercept(products: Sequence[FloatArray], values: FloatArray) -> FloatArray:
        return np.concatenate([*products, values.sum(axis=1, keepdims=True)], axis=1)

    def take(self, rows: IntArray, columns: IntArray) -> FloatArray:
        """Ascending `columns` of some rows: (number of rows, number of columns)."""
        parts = [
            block.take(rows, columns[(columns >= span.start) & (columns < span.stop)] - span.start)
            for block, span in zip(self._blocks, self.columns, strict=True)
        ]
        ones = np.ones((len(rows), int(columns[-1] == self.width - 1)), np.float32)
        return np.concatenate([*parts, ones], axis=1)


def _design_block(block: IndexedBlock, sets: TrainingSets, several: bool) -> _DesignBlock:
    rows, index = block.transformed.rows, block.index[sets.samples]
    if scipy.sparse.issparse(rows):
        return _SparseBlock(rows[index], sets.groups)
    if block.transformed.is_mapped:
        return _MappedBlock(reordered(rows, index), sets.groups)
    if len(index) >= REPEATS * rows.shape[0]:
        return _RepeatedBlock(rows, index, sets.groups, several)
    in_order = len(index) == rows.shape[0] and bool((index == np.arange(len(index))).all())
    return _DenseBlock(rows if in_order else rows[index], sets.groups, several)
