"""How time grows with rows, folds, strengths and pairs of encoders: exponents of our own fits.

Run by hand: ``OMP_NUM_THREADS=1 python -m benchmarks.growth [--repeats N] [--rows N]``. For each of
the four, one size after another is solved while the others stay as they are, in turn, and a power
law is fitted to the medians: an exponent of 1 is linear growth. What is solved are logistic
regressions of concatenated synthetic picture (512 columns) and text features (128 columns), ten
classes: all strengths on all inner folds of one outer training set and for every pair of encoders,
as `pipeline.tasks.fit` asks `models.early.concat.Concat` for them. Nothing is remembered from one
measurement to the next.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.block import Block
from models.classifiers.logistic import Logistic
from models.early.concat import Concat
from models.fusion import Fit
from models.kept import RECENT
from models.views import Views

CLASSES = 10


class Size(NamedTuple):
    """What is solved: rows, inner folds, strengths, and text encoders beside a picture encoder."""

    rows: int
    folds: int = 3
    strengths: int = 5
    pairs: int = 2


def block(rng: np.random.Generator, y: NDArray[Any], width: int) -> Block:
    """Features of decaying spectrum, with classes that overlap."""
    rank = min(width, 100)
    centres = rng.normal(size=(CLASSES, rank)) * 0.4
    latent = (rng.normal(size=(len(y), rank)) + centres[y]) * np.arange(1, rank + 1) ** -0.5
    values = latent @ rng.normal(size=(rank, width)) + 0.2 * rng.normal(size=(len(y), width))
    return Block.of(np.maximum(values, 0).astype(np.float32))


def seconds(size: Size) -> float:
    """Time of all fits of one outer training set."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(size.rows) % CLASSES)
    image, texts = block(rng, y, 512), [block(rng, y, 128) for _ in range(size.pairs)]
    fold = np.arange(size.rows) % size.folds
    settings = [{"classifier__C": C} for C in np.geomspace(0.3, 100, size.strengths)]
    RECENT.clear()
    begun = time.perf_counter()
    for text in texts:
        views = Views(image, text)
        fits = [
            Fit(
                views.take(np.flatnonzero(fold != number)),
                y[fold != number],
                views.take(np.flatnonzero(fold == number)),
            )
            for number in range(size.folds)
        ]
        Concat(Logistic()).predict_many(fits, settings)
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=3000)
    options = parser.parse_args()
    base = Size(options.rows)
    growing = {
        "rows": [options.rows * factor // 2 for factor in (1, 2, 4, 8)],
        "folds": [2, 3, 5, 8],
        "strengths": [2, 4, 8, 16],
        "pairs": [1, 2, 4, 8],
    }
    print(f"{'grows':10} {'exponent':>8}  seconds at each size (medians of {options.repeats})")
    for name, values in growing.items():
        sizes = [base._replace(**{name: value}) for value in values]
        rounds = [[seconds(size) for size in sizes] for _ in range(options.repeats)]
        medians = [statistics.median(times) for times in zip(*rounds, strict=True)]
        exponent = np.polyfit(np.log(values), np.log(medians), 1)[0]
        print(
            f"{name:10} {exponent:8.2f}  "
            + "  ".join(
                f"{value}: {median:.2f}" for value, median in zip(values, medians, strict=True)
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
