"""Products of a large matrix with a few vectors, in tiles: whole, they wait for copies of the large matrix.

A matrix product first packs both factors into buffers, which pays where each number of the large
one is used many times, and takes longer than the arithmetic where it meets a dozen columns.
OpenBLAS, which NumPy brings, has kernels for small products that read the factors where they lie,
on processors with AVX-512. So the large matrix is cut into tiles small enough for them; ``python -m
benchmarks.products`` compares. Elsewhere the whole product is taken. Products with the large
matrix's columns take a transposed copy of it: tiles of it as it stands are slower.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

FloatArray = NDArray[np.float32]

KERNELS = frozenset(
    {"SkylakeX", "Cooperlake", "Sapphirerapids"}
)  # OpenBLAS's names for what has such kernels
SMALL = 1_000_000  # multiplications of a product that OpenBLAS computes without packing
WIDEST = 64  # rows of B from which B A' gains nothing, unless tiles are tall without being cut
TALL = 24  # rows of a tile that make the call worth it
STRIP = 64  # rows that are transposed at a time


@cache
def unpacked() -> bool:
    """Whether NumPy's matrix products have kernels for small ones here; it does not depend on what ran before."""
    config: Any = np.show_config(mode="dicts")
    brought = "openblas" in config.get("Build Dependencies", {}).get("blas", {}).get("name", "")
    return brought and any(library.get("architecture") in KERNELS for library in threadpool_info())


def times(B: FloatArray, A: FloatArray) -> FloatArray:
    """B (c, d) times A' (d, n): (c, n)."""
    c, d = B.shape
    if not (
        c > 1 and (c <= WIDEST or c * d * WIDEST <= SMALL) and A.size * c > SMALL and unpacked()
    ):
        return np.asarray(B @ A.T if c == 1 else (A @ B.T).T)
    parts = -(-d * c * TALL // SMALL)
    (start, stop), *others = pairwise(d * part // parts for part in range(parts + 1))
    result = _tiled(A[:, start:stop], np.ascontiguousarray(B[:, start:stop].T))
    for start, stop in others:
        result += _tiled(A[:, start:stop], np.ascontiguousarray(B[:, start:stop].T))
    return result.T


def transposed(A: FloatArray) -> FloatArray:
    """A copy (d, n) of A (n, d), made strip by strip: by whole columns, each number would be fetched by itself."""
    result = np.empty(A.shape[::-1], np.float32)
    for start in range(0, len(A), STRIP):
        result[:, start:start + STRIP] = A[start:start + STRIP].T
    return result


def _tiled(A: FloatArray, B: FloatArray) -> FloatArray:
    (n, d), c = A.shape, B.shape[1]
    height = SMALL // (d * c)
    height -= height % 8 if height > 16 else 0
    whole = n // height * height
    result = np.empty((n, c), np.float32)
    np.matmul(A[:whole].reshape(-1, height, d), B, out=result[:whole].reshape(-1, height, c))
    np.matmul(A[whole:], B, out=result[whole:])
    return result
