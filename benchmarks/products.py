"""Products of the features with a few columns: in tiles (models.products) against NumPy's on the whole.

Run by hand: ``OMP_NUM_THREADS=1 python -m benchmarks.products [--rows N] [--seconds S]``. Both sides alternate;
the table gives medians in billions of operations a second, a wide product's for comparison, and the largest
difference of the results relative to their largest entry.

The columns are the classes but one of all fits that are solved together: with ten classes 9 for a fit alone, 18
for three inner folds, of which two share each row.
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

from benchmarks.softmax import peak, timed
from models.products import crossed, times, unpacked

Array = NDArray[Any]


def speeds(sides: tuple[Callable[[], Array], ...], operations: float, seconds: float) -> list[float]:
    """Median speed of each side, in billions of operations a second; the sides take turns."""
    taken: list[list[float]] = [[] for _ in sides]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken[-1]) < 5:
        for side, each in zip(sides, taken, strict=True):
            each.append(timed(side)[0])
    return [operations / statistics.median(each) / 1e9 for each in taken]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=7900)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each line of the table")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    print(f"tiles are taken here: {unpacked()}; a wide product {peak() / 1e9:.0f} billion operations a second")
    print(f"{'d':>6}{'columns':>9}{'A B whole':>12}{'tiles':>7}{'A-T B whole':>13}{'tiles':>7}{'difference':>12}")
    for d in (384, 1280, 2304, 4000):
        A = rng.normal(size=(options.rows, d)).astype(np.float32)
        for c in (1, 4, 9, 18, 36, 72, 144):
            B, C = (rng.normal(size=(size, c)).astype(np.float32) for size in (d, options.rows))
            sides = (partial(np.matmul, A, B), partial(times, A, B),
                     partial(np.matmul, A.T, C), partial(crossed, A, C))
            found = speeds(sides, 2.0 * A.size * c, options.seconds)
            apart = max(float(np.abs(one() - other()).max() / np.abs(one()).max()) for one, other in
                        (sides[:2], sides[2:]))
            print(f"{d:6}{c:9}{found[0]:12.0f}{found[1]:7.0f}{found[2]:13.0f}{found[3]:7.0f}{apart:12.1e}", flush=True)


if __name__ == "__main__":
    main()
