"""Dense rows that are too many for memory: in a file that is mapped, made and read in tiles.

The file is temporary (in TMPDIR) and has no name: it goes with the process, however that ends.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray, IntArray, reading_order
from models.softmax.design_matrix.transformed_block import (
    Coefficients,
    DoubleArray,
    TransformedBlock,
    standardised,
    unstandardised,
)

LARGE = 2**28  # bytes of rows from which on they are mapped: solving takes several times as much
TILE = 2**25  # bytes of the rows that are in memory at once


def is_large(rows: int, width: int) -> bool:
    """Whether so many dense rows are too many to hold several copies of them."""
    return 4 * rows * width > LARGE


def tiles(rows: int, width: int) -> Iterator[slice]:
    """Consecutive rows, TILE bytes of them at most."""
    step = max(1, TILE // (4 * max(width, 1)))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def mapped_tiles(rows: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    """Tiles of mapped rows (m, d), one after the other; the pages of each go behind it."""
    for tile in tiles(*rows.shape):
        yield tile, np.asarray(rows[tile])
        let_go(rows)


def let_go(rows: FloatArray) -> None:
    """Take the pages of a mapped array out of the process's memory; the file still has them."""
    mapping: Any = rows
    while isinstance(mapping, np.ndarray):
        mapping = mapping.base
    if isinstance(mapping, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        mapping.madvise(mmap.MADV_DONTNEED)


def empty_mapped(shape: tuple[int, int]) -> FloatArray:
    """An array (m, d) in a temporary file."""
    with tempfile.TemporaryFile(prefix="modalgrid-") as file:
        return np.memmap(file, dtype=np.float32, mode="w+", shape=shape)


def transform_mapped(
    values: Any, used: IntArray, counts: IntArray | None, axes: int | None
) -> TransformedBlock:
    """Some dense rows, tile by tile, as `principal_axes.transform` gives them.

    Parameters
    ----------
    values : float32 (v, d); rows are read as `values[positions]`.
    used : int (m,), which of its rows, m > d.
    counts : int (m,), how many samples have each row; None for 1 each.
    axes : None to find all principal axes; else the columns are only centred.
    """
    m, d = len(used), int(values.shape[1])
    shares = np.full(m, 1 / m) if counts is None else counts / counts.sum()
    order = reading_order(values, used)
    parts = [order[tile] for tile in tiles(m, d)]
    mean = np.zeros(d)
    for part in parts:
        mean += shares[part] @ np.asarray(values[used[part]], dtype=np.float64)
    V = _axes(values, used, counts, mean) if axes is None else None
    X = empty_mapped((m, d))
    for part in parts:
        rows = standardised(np.asarray(values[used[part]]), mean, None)
        X[part] = rows if V is None else rows @ V
        let_go(X)

    def to_original(weights: FloatArray) -> Coefficients:
        return unstandardised(weights if V is None else weights @ V.T, None, mean)

    return TransformedBlock(
        X,
        to_original,
        rotated=V is not None,
        dense_as_given=V is None,
        referenced=() if V is None else (V,),
        is_mapped=True,
    )


def _axes(
    values: Any, used: IntArray, counts: IntArray | None, mean: DoubleArray
) -> FloatArray:
    """Eigenvectors (d, d) of X'X, X the standardised rows."""
    import scipy

    d = len(mean)
    gram, order = np.zeros((d, d)), reading_order(values, used)
    for tile in tiles(len(used), d):
        part = order[tile]
        X = standardised(np.asarray(values[used[part]]), mean, None)
        counted = X if counts is None else X * np.sqrt(counts[part], dtype=np.float32)[:, None]
        gram += counted.T @ counted
    vectors: NDArray[Any] = scipy.linalg.eigh(
        gram, driver="evd", overwrite_a=True, check_finite=False
    )[1]
    return vectors.astype(np.float32)


def reordered(rows: FloatArray, index: IntArray) -> FloatArray:
    """Mapped rows in another order, mapped again."""
    if len(index) == len(rows) and (np.diff(index) == 1).all():
        return rows
    ordered = empty_mapped((len(index), rows.shape[1]))
    for tile in tiles(len(index), rows.shape[1]):
        ordered[tile] = rows[index[tile]]
        let_go(rows)
        let_go(ordered)
    return ordered
