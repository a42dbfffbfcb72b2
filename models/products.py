"""Products of a large matrix with a narrow one, in tiles: whole, they wait for copies of the large matrix.

A matrix product first packs both factors into buffers, which pays where each number of the large one is used many
times, and takes longer than the arithmetic where it meets a dozen columns. OpenBLAS, which NumPy brings, has kernels
for small products that read the factors where they lie, on processors with AVX-512. So the large matrix is cut into
tiles small enough for them; ``python -m benchmarks.products`` compares. Elsewhere the whole product is taken.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

FloatArray = NDArray[np.float32]

KERNELS = frozenset({"SkylakeX", "Cooperlake", "Sapphirerapids"})  # OpenBLAS's names for what has such kernels
SMALL = 1_000_000  # multiplications of a product that OpenBLAS computes without packing
WIDEST = 112  # columns of B from which A B gains nothing
TALL = 12  # rows of a tile that make the call worth it
WIDEST_CROSSED = 40  # columns of B from which A' B gains nothing
NARROWEST, FEWEST = 12, 4  # its kernel needs so many columns: fewer are filled up, unless that takes too long
ROWS, ENTRIES = 256, 1800  # of A, and of the result, in a tile of A' B
AT_ONCE = 8  # tiles that are summed together


@cache
def unpacked() -> bool:
    """Whether NumPy's matrix products have kernels for small ones here; it does not depend on what ran before."""
    config: Any = np.show_config(mode="dicts")
    brought = "openblas" in config.get("Build Dependencies", {}).get("blas", {}).get("name", "")
    return brought and any(library.get("architecture") in KERNELS for library in threadpool_info())


def times(A: FloatArray, B: FloatArray) -> FloatArray:
    """A (n, d) times B (d, c): (n, c)."""
    d, c = B.shape
    if not _pays(A, c, WIDEST):
        return np.asarray(A @ B)
    parts = -(-d * c * TALL // SMALL)
    (start, stop), *others = pairwise(d * part // parts for part in range(parts + 1))
    result = _tiled(A[:, start:stop], np.ascontiguousarray(B[start:stop]))
    for start, stop in others:
        result += _tiled(A[:, start:stop], np.ascontiguousarray(B[start:stop]))
    return result


def crossed(A: FloatArray, B: FloatArray) -> FloatArray:
    """A' (d, n) times B (n, c): (d, c)."""
    (n, d), c = A.shape, B.shape[1]
    if c < FEWEST or not _pays(A, c, WIDEST_CROSSED):
        return np.asarray(A.T @ B)
    if c < NARROWEST:
        wider = np.zeros((n, NARROWEST), np.float32)
        wider[:, :c] = B
        return crossed(A, wider)[:, :c]
    tiles, width = n // ROWS, min(_columns(c), d)
    B, inner = np.ascontiguousarray(B), d // width * width
    result = np.empty((d, c), np.float32)
    result[inner:] = A[:, inner:].T @ B
    result[:inner] = A[tiles * ROWS:, :inner].T @ B[tiles * ROWS:]
    for first in range(0, tiles, AT_ONCE):
        rows = slice(first * ROWS, min(first + AT_ONCE, tiles) * ROWS)
        blocks = A[rows, :inner].reshape(-1, ROWS, inner // width, width).transpose(0, 2, 3, 1)
        sums = np.add.reduce(blocks @ B[rows].reshape(-1, 1, ROWS, c), axis=0)
        result[:inner] += sums.reshape(inner, c)
    return result


def _pays(A: FloatArray, columns: int, most: int) -> bool:
    return 1 < columns <= most and A.size * columns > SMALL and unpacked()


def _columns(c: int) -> int:
    """Columns of a tile of A' B: the largest power of two whose result is small enough."""
    return 1 << (ENTRIES // c).bit_length() - 1


def _tiled(A: FloatArray, B: FloatArray) -> FloatArray:
    (n, d), c = A.shape, B.shape[1]
    height = SMALL // (d * c)
    height -= height % 8 if height > 16 else 0
    whole = n // height * height
    result = np.empty((n, c), np.float32)
    np.matmul(A[:whole].reshape(-1, height, d), B, out=result[:whole].reshape(-1, height, c))
    np.matmul(A[whole:], B, out=result[whole:])
    return result
