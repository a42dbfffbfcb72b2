"""Products of the features with a few vectors: in tiles, as the solver does, and by NumPy.

Run by hand: ``OMP_NUM_THREADS=1 python -m benchmarks.products [--rows N] [--seconds S]``. Both
sides alternate; the table gives medians in billions of operations a second, a wide product's for
comparison, and the largest difference of the results relative to their largest entry.

The vectors are the classes but one of all fits that are solved together: with ten classes 9 for a
fit alone, 18 for three inner folds, of which two share each row. W A' gives the logits of n rows A
from weights W; R A gives gradients from residuals R, whole as the features lie, and in tiles of
their transposed copy, which takes as long to make as the last column says.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.softmax_cases import timed
from benchmarks.softmax_roofline import machine
from models.softmax.design_matrix.products import has_small_kernels, matmul_transposed, transposed

Array = NDArray[Any]


def speeds(
    sides: tuple[Callable[[], Array], ...], operations: float, seconds: float
) -> list[float]:
    """Median speed of each side, in billions of operations a second; the sides take turns."""
    taken: list[list[float]] = [[] for _ in sides]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken[-1]) < 5:
        for side, times_taken in zip(sides, taken, strict=True):
            times_taken.append(timed(side)[0])
    return [operations / statistics.median(times_taken) / 1e9 for times_taken in taken]


def options_given() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=7900)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each line of the table")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = options_given()
    rng = np.random.default_rng(0)
    wide = machine().peak / 1e9
    print(
        f"tiles are taken here: {has_small_kernels()}; a wide product {wide:.0f} billion "
        "operations a second"
    )
    print(
        f"{'d':>6}{'vectors':>9}{'W A-T whole':>13}{'tiles':>7}{'R A whole':>11}{'tiles':>7}"
        f"{'difference':>12}{'copy s':>8}"
    )
    for d in (100, 384, 1280, 2304, 4000):
        A = rng.normal(size=(options.rows, d)).astype(np.float32)
        copied, turned = timed(transposed, A)
        for c in (1, 4, 9, 18, 36, 72, 144):
            W, R = (rng.normal(size=(c, size)).astype(np.float32) for size in (d, options.rows))
            sides = (
                partial(np.matmul, W, A.T),
                partial(matmul_transposed, W, A),
                partial(np.matmul, R, A),
                partial(matmul_transposed, R, turned),
            )
            logits, tiled_logits, gradients, tiled_gradients = speeds(
                sides, 2.0 * A.size * c, options.seconds
            )
            apart = max(
                float(np.abs(whole() - tiled()).max() / np.abs(whole()).max())
                for whole, tiled in (sides[:2], sides[2:])
            )
            print(
                f"{d:6}{c:9}{logits:13.0f}{tiled_logits:7.0f}{gradients:11.0f}"
                f"{tiled_gradients:7.0f}{apart:12.1e}{copied:8.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
