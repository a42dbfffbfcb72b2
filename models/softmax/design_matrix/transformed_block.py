"""A block of the design matrix in other coordinates, and the way back to its columns as given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray

from features.block import FloatArray, IntArray

DoubleArray = NDArray[np.float64]
Matrix: TypeAlias = "FloatArray | scipy.sparse.csr_matrix"
Coefficients: TypeAlias = tuple[FloatArray, DoubleArray]


@dataclass(frozen=True, eq=False)
class TransformedBlock:
    """m rows of one block, rotated to r other columns where that is worth its price.

    Attributes
    ----------
    rows : float32 (m, r) or CSR (m, r)
    to_original : weights (c, r) -> coefficients (c, d) of the columns as they were given, and their
        share of the intercepts (c,)
    rotated : whether the columns are principal components
    dense_as_given : whether the columns are dense ones as they were given: none is known to matter
        more than another
    referenced : the matrices that `to_original` holds in memory
    is_mapped : whether the rows lie in a file
    """

    rows: Matrix
    to_original: Callable[[FloatArray], Coefficients]
    rotated: bool
    dense_as_given: bool = False
    referenced: tuple[Matrix, ...] = ()
    is_mapped: bool = False

    @property
    def width(self) -> int:
        """r, the number of columns."""
        return int(self.rows.shape[1])

    @property
    def bytes(self) -> int:
        """Memory that it takes, or room in files."""
        return sum(map(_bytes, (self.rows, *self.referenced)))


@dataclass(frozen=True, eq=False)
class IndexedBlock:
    """A block of n samples that share m transformed rows: equal samples have the same row.

    Attributes
    ----------
    transformed : the rows
    index : int (n,), row of each sample
    """

    transformed: TransformedBlock
    index: IntArray


@dataclass(frozen=True, eq=False)
class GivenBlock:
    """A block of n samples that share m dense rows, as they were given: for a device.

    Attributes
    ----------
    rows : float32 (m, d)
    index : int (n,), row of each sample
    counts : int (m,), how many samples have each row, up to a factor; None for 1 each
    content : what decides rows and counts, for axes that are kept (see `models.kept`); None for
        rows that will not be used again
    uses : times that the axes are expected to be used
    """

    rows: FloatArray
    index: IntArray
    counts: IntArray | None = None
    content: tuple[Any, ...] | None = None
    uses: int = 1


Part: TypeAlias = "Matrix | IndexedBlock | GivenBlock"
Features: TypeAlias = "Part | Sequence[Part]"


def blocks_of(features: Features) -> list[Part]:
    """The blocks that stand side by side in `features`."""
    return list(features) if isinstance(features, list | tuple) else [features]


def split_columns(values: NDArray[Any], widths: Sequence[int]) -> list[NDArray[Any]]:
    """Cut the last axis of `values` (..., d) into parts of these widths."""
    return np.split(values, np.cumsum(widths)[:-1], axis=-1)


def column_means(rows: Matrix, counts: IntArray | None) -> DoubleArray:
    """Mean (d,) of each column over the samples, of which each row stands for so many."""
    if counts is None:
        return np.asarray(rows.mean(axis=0, dtype=np.float64)).ravel()
    return np.asarray((counts / counts.sum()).astype(np.float32) @ rows, dtype=np.float64).ravel()


def standardised(rows: FloatArray, mean: NDArray[Any], scale: NDArray[Any] | None) -> FloatArray:
    """(x - mean) * scale of every row, in single precision."""
    X = rows - mean.astype(np.float32)
    if scale is not None:
        X *= scale.astype(np.float32)
    return X


def unstandardised(
    coef: FloatArray, scale: NDArray[Any] | None, mean: DoubleArray
) -> Coefficients:
    """Coefficients (c, d) of standardised columns as those of the columns as they were given.

    See `TransformedBlock.to_original`.
    """
    if scale is not None:
        coef = coef * scale.astype(np.float32)
    return coef, -(coef @ mean)


def _bytes(matrix: Any) -> int:
    arrays = (
        [matrix] if isinstance(matrix, np.ndarray) else [matrix.data, matrix.indices, matrix.indptr]
    )
    return sum(array.nbytes for array in arrays)
