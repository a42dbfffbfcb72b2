"""Whether both modalities recommend better than one: items of the same kind among the ten nearest.

Run by hand: ``python -m benchmarks.recommend INDEX --column COLUMN [--apart COLUMN]``. Every item
of an index is recommended ten others (`pipeline.use.index.recommending`), by picture, by text, and
by both with several weights. Of the items that share the column's value with another one: hit@10 is
the share with at least one such item among the ten, precision@10 the mean share of such items. The
interval is that of 2,000 bootstrap samples of the items.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.use.index.index import Index, Wish
from pipeline.use.index.recommending import Liked, Variety, recommend

AT = 10
DRAWS = 2000


def shares(index: Index, wish: Wish, kinds: Sequence[str | None], apart: str | None) -> NDArray:
    """Share (n,) of the recommended items that are of an item's kind; of items with such others."""
    ids = index.files.column("id")
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    result = []
    for name, kind in zip(ids, kinds, strict=True):
        if kind is None or counts[kind] < 2:
            continue
        hits = recommend(index, Liked({name: 1.0}), wish, Variety(apart=apart))
        result.append(np.mean([kinds[hit.row] == kind for hit in hits] or [0.0]))
    return np.array(result)


def interval(values: NDArray) -> tuple[float, float]:
    """95 % of bootstrap means."""
    rng = np.random.default_rng(0)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(DRAWS)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recommend", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("index", type=Path)
    parser.add_argument("--column", required=True)
    parser.add_argument("--apart", help="items with the same value here do not count")
    options = parser.parse_args(arguments)
    index = Index.load(options.index)
    kinds = index.column(options.column)
    wishes = {"picture": Wish(AT, "picture"), "text": Wish(AT, "text")}
    wishes |= {
        f"both, picture {weight:.0%}": Wish(AT, weight=weight) for weight in (0.25, 0.5, 0.75)
    }
    for name, wish in wishes.items():
        values = shares(index, wish, kinds, options.apart)
        hits = (values > 0).astype(float)
        (low, high), (least, most) = interval(hits), interval(values)
        print(
            f"{name:20} hit@10 {hits.mean():.3f} ({low:.3f} to {high:.3f})  precision@10 "
            f"{values.mean():.3f} ({least:.3f} to {most:.3f})  {len(values)} items",
            flush=True,
        )


if __name__ == "__main__":
    main()
