"""Ranks of relevant candidates: each compared with all scores, or all scores sorted.

Run by hand: ``python -m benchmarks.ranks [--queries Q] [--candidates M]``. Random points of width
64; a query's relevant candidates are those of its class, and the number of classes says how many
they are. Both ways must give the same ranks; seconds are of the processor, in turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from pipeline.metrics import ranks as module
from pipeline.metrics.ranks import Ranks, Relevance, ranks

WIDTH = 64
CLASSES = (10, 100, 1000, 4000)
WAYS = {"comparing": 2**31, "sorting": 0}  # relevant candidates up to which they are compared


def relevance_of(
    draw: np.random.Generator, queries: int, candidates: int, classes: int
) -> Relevance:
    """Which candidates have a query's class."""
    known = draw.integers(0, classes, candidates)
    asked = known[draw.integers(0, candidates, queries)]
    rows = [np.flatnonzero(known == label) for label in asked]
    return Relevance(np.concatenate(rows), np.cumsum([len(of_query) for of_query in rows]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print seconds by the number of relevant candidates."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ranks", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--candidates", type=int, default=8000)
    options = parser.parse_args(arguments)
    draw = np.random.default_rng(0)
    asked = draw.standard_normal((options.queries, WIDTH)).astype(np.float32)
    offered = draw.standard_normal((options.candidates, WIDTH)).astype(np.float32)
    for classes in CLASSES:
        relevance = relevance_of(draw, options.queries, options.candidates, classes)
        ranked: dict[str, Ranks] = {}
        shown = []
        for name, few in WAYS.items():
            module.FEW = few
            begun = time.process_time()
            ranked[name] = ranks(asked, offered, relevance)
            shown.append(f"{name} {time.process_time() - begun:6.2f} s")
        np.testing.assert_array_equal(ranked["comparing"].ranks, ranked["sorting"].ranks)
        print(f"{relevance.sizes.mean():7.1f} relevant candidates a query: {', '.join(shown)}")


if __name__ == "__main__":
    main()
