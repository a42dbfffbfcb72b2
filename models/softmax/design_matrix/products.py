"""Products of the design matrix with a few vectors: of many problems together, and in tiles.

The vectors of all problems that learn from a row group are stacked, so that a wide product serves
them all: 1.4 to 2 times as fast as training set by training set (``python -m benchmarks.softmax
--ablate "problems solved together"``).

A matrix product first packs both factors into buffers, which pays where each number of the large
one is used many times, and takes longer than the arithmetic where it meets a dozen columns.
OpenBLAS, which NumPy brings, has kernels for small products that read the factors where they lie,
on processors with AVX-512. So the large matrix is cut into tiles small enough for them (there,
`--ablate tiles` takes 1.13 to 1.17 times the time); ``python -m benchmarks.products`` compares.
Elsewhere the whole product is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate, pairwise
from typing import Any, Protocol, TypeAlias

import numpy as np
from threadpoolctl import threadpool_info

from features.block import FloatArray
from models.softmax.design_matrix.training_sets import RowGroup, TrainingSet

Product: TypeAlias = Callable[[FloatArray, int], FloatArray]

KERNELS = frozenset(
    {"SkylakeX", "Cooperlake", "Sapphirerapids"}
)  # OpenBLAS's names for what has such kernels
SMALL = 1_000_000  # multiplications of a product that OpenBLAS computes without packing
WIDEST = 64  # rows of B from which B A' gains nothing, unless tiles are tall without being cut
TALL = 24  # rows of a tile that make the call worth it
STRIP = 64  # rows that are transposed at a time


class Learner(Protocol):
    """What a joint product needs to know of a problem."""

    @property
    def number(self) -> int:
        """Which of the training sets it learns from."""

    @property
    def set(self) -> TrainingSet:
        """That training set."""


def sums_over_rows(
    product: Product,
    groups: Sequence[RowGroup],
    fits: Sequence[Learner],
    values: Sequence[FloatArray],
    shapes: Sequence[tuple[int, int]],
) -> list[FloatArray]:
    """Products of each fit's values (c, m) with its rows: the first c rows of these shapes."""
    totals = [np.zeros(shape, np.float32) for shape in shapes]
    for number, bundle in _bundles(groups, fits):
        parts = [
            values[position][:, fits[position].set.group_slices[number]] for position in bundle
        ]
        products = _split(product(_stacked(parts), number), parts)
        for position, part in zip(bundle, products, strict=True):
            totals[position][:len(part)] += part
    return totals


def products_with_rows(
    product: Product,
    groups: Sequence[RowGroup],
    fits: Sequence[Learner],
    weights: Sequence[FloatArray],
    heights: Sequence[int],
) -> list[FloatArray]:
    """Products of each fit's weights (c, width) with its rows: the first c of r logits (r, m)."""
    results = [
        np.empty((height, len(fit.set.rows)), np.float32)
        for height, fit in zip(heights, fits, strict=True)
    ]
    for number, bundle in _bundles(groups, fits):
        parts = [weights[position] for position in bundle]
        products = _split(product(_stacked(parts), number), parts)
        for position, part in zip(bundle, products, strict=True):
            results[position][:len(part), fits[position].set.group_slices[number]] = part
    return results


def _bundles(
    groups: Sequence[RowGroup], fits: Sequence[Learner]
) -> Iterator[tuple[int, list[int]]]:
    """Row groups, and positions of the fits that learn from them."""
    for number, group in enumerate(groups):
        bundle = [position for position, fit in enumerate(fits) if fit.number in group.sets]
        if bundle:
            yield number, bundle


def _stacked(parts: Sequence[FloatArray]) -> FloatArray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _split(product: FloatArray, parts: Sequence[FloatArray]) -> list[FloatArray]:
    """The rows of the product that belong to each of the parts that were stacked."""
    ends = accumulate(len(part) for part in parts)
    return [product[end - len(part):end] for part, end in zip(parts, ends, strict=True)]


@cache
def has_small_kernels() -> bool:
    """Whether NumPy's matrix products have kernels for small ones on this processor."""
    config: Any = np.show_config(mode="dicts")
    openblas = "openblas" in config.get("Build Dependencies", {}).get("blas", {}).get("name", "")
    return openblas and any(library.get("architecture") in KERNELS for library in threadpool_info())


def matmul_transposed(B: FloatArray, A: FloatArray) -> FloatArray:
    """B (c, d) times A' (d, n): (c, n)."""
    c, d = B.shape
    few = c > 1 and (c <= WIDEST or c * d * WIDEST <= SMALL)
    if not (few and A.size * c > SMALL and has_small_kernels()):
        return np.asarray(B @ A.T if c == 1 else (A @ B.T).T)
    parts = -(-d * c * TALL // SMALL)
    (start, stop), *others = pairwise(d * part // parts for part in range(parts + 1))
    result = _tiled(A[:, start:stop], np.ascontiguousarray(B[:, start:stop].T))
    for start, stop in others:
        result += _tiled(A[:, start:stop], np.ascontiguousarray(B[:, start:stop].T))
    return result.T


def transposed(A: FloatArray) -> FloatArray:
    """A copy (d, n) of A (n, d), made strip by strip.

    By whole columns, each number would be fetched from memory by itself. `--ablate "transposed
    copies"`: 1.10 times the time without (20 fits of 10 classes, 1,664 columns, in tiles).
    """
    result = np.empty(A.shape[::-1], np.float32)
    for start in range(0, len(A), STRIP):
        result[:, start:start + STRIP] = A[start:start + STRIP].T
    return result


def _tiled(A: FloatArray, B: FloatArray) -> FloatArray:
    (n, d), c = A.shape, B.shape[1]
    height = SMALL // (d * c)
    height -= height % 8 if height > 16 else 0
    covered = n // height * height
    result = np.empty((n, c), np.float32)
    np.matmul(A[:covered].reshape(-1, height, d), B, out=result[:covered].reshape(-1, height, c))
    np.matmul(A[covered:], B, out=result[covered:])
    return result
