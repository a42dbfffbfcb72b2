"""Training rows in the axes of their principal components: fewer columns, and nearly independent ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Matrix: TypeAlias = FloatArray | sparse.csr_matrix
Features: TypeAlias = Matrix | Sequence[Matrix]
Raw: TypeAlias = tuple[FloatArray, NDArray[np.float64]]

CHUNK = 1024  # rows squared at a time
RANK = 1e-6  # eigenvalues below this fraction of the largest are rounding errors in float32


def blocks_of(features: Features) -> list[Matrix]:
    """The blocks that stand side by side in `features`."""
    return list(features) if isinstance(features, list | tuple) else [features]


def split_columns(values: NDArray[Any], blocks: Sequence[Matrix]) -> list[NDArray[Any]]:
    """Cut the last axis of `values` (..., d) into the columns of each block."""
    return np.split(values, np.cumsum([block.shape[1] for block in blocks])[:-1], axis=-1)


class Part:
    """Some columns of the m training rows, perhaps rotated to r other columns.

    Attributes
    ----------
    width : r
    """

    width: int

    def logits(self, weights: FloatArray, out: FloatArray) -> None:
        """Write weights (c, r) times the rows to `out` (c, m)."""
        raise NotImplementedError

    def gradients(self, residuals: FloatArray, out: FloatArray) -> None:
        """Write residuals (c, m) times the rows to `out` (c, r)."""
        raise NotImplementedError

    def squares(self, weights: FloatArray) -> FloatArray:
        """Weights (c, m) times the squared columns: (c, r)."""
        raise NotImplementedError

    def take(self, columns: IntArray, every: int) -> FloatArray:
        """Some columns of one in `every` rows: (ceil(m / every), number of columns)."""
        raise NotImplementedError

    def raw(self, weights: FloatArray) -> Raw:
        """Coefficients (c, d) of the columns as they were given, and their share of the intercept (c,)."""
        raise NotImplementedError


class _Rotated(Part):
    """A dense matrix A (m, r) whose columns are nearly orthogonal."""

    def __init__(self, A: FloatArray) -> None:
        self.A, self.width = A, A.shape[1]

    def logits(self, weights: FloatArray, out: FloatArray) -> None:
        np.matmul(weights, self.A.T, out=out)

    def gradients(self, residuals: FloatArray, out: FloatArray) -> None:
        np.matmul(residuals, self.A, out=out)

    def squares(self, weights: FloatArray) -> FloatArray:
        total = np.zeros((len(weights), self.width), np.float32)
        for start in range(0, len(self.A), CHUNK):
            rows = slice(start, start + CHUNK)
            total += weights[:, rows] @ np.square(self.A[rows])
        return total

    def take(self, columns: IntArray, every: int) -> FloatArray:
        return self.A[::every, columns]


class _Tall(_Rotated):
    """Dense columns X (m, d), centred and scaled, as A = X V with the eigenvectors V (d, d) of X'X."""

    def __init__(self, rows: FloatArray, scale: NDArray[Any] | None) -> None:
        self.mean, self.scale = rows.mean(axis=0, dtype=np.float64), scale
        X = _standardised(rows, self.mean, scale)
        _, self.V = _eigen(X.T @ X)
        super().__init__(X @ self.V)

    def raw(self, weights: FloatArray) -> Raw:
        coef = weights @ self.V.T
        if self.scale is not None:
            coef *= self.scale.astype(np.float32)
        return coef, -(coef @ self.mean)


class _Wide(_Rotated):
    """Any columns X (m, d) with d > m as A = U S, from the eigenvectors U (m, r) of XX', r < m."""

    def __init__(self, blocks: Sequence[Matrix], scales: Sequence[NDArray[Any] | None]) -> None:
        self.blocks, self.scales = blocks, scales
        self.means = [np.asarray(block.mean(axis=0, dtype=np.float64)).ravel() for block in blocks]
        grams = [_gram(*each) for each in zip(blocks, self.means, scales, strict=True)]
        squares, U = _eigen(np.sum(grams, axis=0))
        kept = squares > RANK * squares[-1]
        self.S, self.U = np.sqrt(squares[kept]), U[:, kept]
        super().__init__(self.U * self.S)

    def raw(self, weights: FloatArray) -> Raw:
        shares = (weights / self.S) @ self.U.T
        # The shares of the rows sum to zero, as A is centred: the means need no subtraction, but for rounding.
        shares -= shares.mean(axis=1, keepdims=True)
        parts = []
        for block, scale in zip(self.blocks, self.scales, strict=True):
            part = np.asarray(shares @ block) if not sparse.issparse(block) else (block.T @ shares.T).T
            parts.append(part if scale is None else part * np.square(scale, dtype=np.float32))
        coef = np.concatenate(parts, axis=1)
        return coef, -(coef @ np.concatenate(self.means))


def _eigen(gram: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues, ascending, and eigenvectors; about twice as fast as numpy.linalg.eigh in float32."""
    values, vectors = linalg.eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
    return values, vectors


def _standardised(rows: FloatArray, mean: NDArray[np.float64], scale: NDArray[Any] | None) -> FloatArray:
    X = rows - mean.astype(np.float32)
    if scale is not None:
        X *= scale.astype(np.float32)
    return X


def _gram(block: Matrix, mean: NDArray[np.float64], scale: NDArray[Any] | None) -> FloatArray:
    """Products (m, m) of the centred and scaled rows with each other."""
    if isinstance(block, np.ndarray):
        X = _standardised(block, mean, scale)
        return X @ X.T
    scaled = block if scale is None else block.multiply(scale.astype(np.float32)).tocsr()
    gram: FloatArray = (scaled @ scaled.T).toarray()
    gram -= gram.mean(axis=0)
    gram -= gram.mean(axis=1, keepdims=True)
    return gram


class _Sparse(Part):
    """CSR columns (m, d), only scaled: centring or rotating them would fill them."""

    def __init__(self, rows: sparse.csr_matrix, scale: NDArray[Any] | None) -> None:
        self.scale = None if scale is None else scale.astype(np.float32)
        self.X = sparse.csr_matrix(rows if scale is None else rows.multiply(self.scale))
        self.XT = self.X.T.tocsr()
        self.width = self.X.shape[1]

    def logits(self, weights: FloatArray, out: FloatArray) -> None:
        out[...] = (self.X @ np.ascontiguousarray(weights.T)).T

    def gradients(self, residuals: FloatArray, out: FloatArray) -> None:
        out[...] = (self.XT @ np.ascontiguousarray(residuals.T)).T

    def squares(self, weights: FloatArray) -> FloatArray:
        result: FloatArray = (self.XT.multiply(self.XT).tocsr() @ np.ascontiguousarray(weights.T)).T
        return result

    def take(self, columns: IntArray, every: int) -> FloatArray:
        chosen: FloatArray = self.X[::every][:, columns].toarray()
        return chosen

    def raw(self, weights: FloatArray) -> Raw:
        return weights if self.scale is None else weights * self.scale, np.zeros(len(weights))


class Axes:
    """The training rows as parts side by side, and a last column of ones for the intercept.

    Parameters
    ----------
    parts : Part, in the order of the blocks of the features.
    n_rows : m, the number of training rows.
    """

    def __init__(self, parts: Sequence[Part], n_rows: int) -> None:
        self.parts, self.n_rows = parts, n_rows
        self.columns = np.cumsum([0, *(part.width for part in parts)])
        self.width = int(self.columns[-1]) + 1

    def _slices(self) -> list[tuple[Part, slice]]:
        return [(part, slice(self.columns[i], self.columns[i + 1])) for i, part in enumerate(self.parts)]

    def logits(self, weights: FloatArray) -> FloatArray:
        """Weights (c, width) times the rows: (c, m)."""
        result = np.empty((len(weights), self.n_rows), np.float32)
        for i, (part, columns) in enumerate(self._slices()):
            out = np.empty_like(result) if i else result
            part.logits(weights[:, columns], out)
            if i:
                result += out
        result += weights[:, -1:]
        return result

    def gradients(self, residuals: FloatArray) -> FloatArray:
        """Residuals (c, m) times the rows: (c, width)."""
        result = np.empty((len(residuals), self.width), np.float32)
        for part, columns in self._slices():
            part.gradients(residuals, result[:, columns])
        result[:, -1] = residuals.sum(axis=1)
        return result

    def squares(self, weights: FloatArray) -> FloatArray:
        """Weights (c, m) times the squared columns: (c, width)."""
        parts = [part.squares(weights) for part in self.parts]
        return np.concatenate([*parts, weights.sum(axis=1, keepdims=True)], axis=1)

    def take(self, columns: IntArray, every: int) -> FloatArray:
        """Ascending `columns` of one in `every` rows: (ceil(m / every), number of columns)."""
        found = [part.take(columns[(columns >= span.start) & (columns < span.stop)] - span.start, every)
                 for part, span in self._slices()]
        ones = np.ones((len(found[0]), int(columns[-1] == self.width - 1)), np.float32)
        return np.concatenate([*found, ones], axis=1)

    def raw(self, weights: FloatArray) -> Raw:
        """Coefficients (c, d) of the features as they were given and intercepts (c,)."""
        found = [part.raw(weights[:, columns]) for part, columns in self._slices()]
        intercept = weights[:, -1].astype(np.float64)
        for _, share in found:
            intercept += share
        return np.concatenate([coef for coef, _ in found], axis=1), intercept


def principal_axes(features: Features, rows: IntArray, scale: NDArray[Any] | None) -> Axes:
    """The training rows of `features` in the axes that suit their number and kind.

    Parameters
    ----------
    features : float32 (n, d), CSR (n, d), or a list of such blocks, side by side
    rows : int (m,), training rows; no other row is read
    scale : float (d,), factor of each column, or None
    """
    blocks = [block[rows] for block in blocks_of(features)]
    scales = [None] * len(blocks) if scale is None else split_columns(scale, blocks)
    dense = sum(block.shape[1] for block in blocks if not sparse.issparse(block))
    # A wide part costs m products per row, sparse columns next to none: they join only a dense crowd.
    if len(rows) < min(sum(block.shape[1] for block in blocks), 2 * dense):
        return Axes([_Wide(blocks, scales)], len(rows))
    return Axes([(_Sparse if sparse.issparse(block) else _Tall)(block, each)
                 for block, each in zip(blocks, scales, strict=True)], len(rows))
