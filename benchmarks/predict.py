"""How long predicting a table takes, beside the bundle's encoders alone on the same items.

    python -m benchmarks.predict MODEL ITEMS [--times 3] [--most 10000]

MODEL is a bundle, ITEMS a table with the columns of its rows. Three sides alternate: the encoders'
`transform` of all items, which are in memory; `pipeline.use.predicting.predict` from the table to a
CSV file; and the whole command on a table of one item, which is its start. Medians are printed of
seconds and of the process's seconds of CPU, which other work on the machine does not lengthen as
much; the ratio of the second side to the first is of these.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from pipeline.use.bundle import Bundle
from pipeline.use.items.columns import Columns
from pipeline.use.items.item import Item
from pipeline.use.items.reading import read_items
from pipeline.use.predicting import Request, columns_of, predict
from pipeline.use.predictions import PART


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the medians and their ratio."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.predict", description=__doc__.splitlines()[0]
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("items", type=Path)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--most", type=int, default=10_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        count, taken = _measured(options, Path(scratch))
    cpu = {}
    for name, measured in taken.items():
        seconds, of_cpu = zip(*measured, strict=True)
        cpu[name] = statistics.median(of_cpu)
        print(
            f"{name}: {statistics.median(seconds):.2f} s ({min(seconds):.2f} to "
            f"{max(seconds):.2f}), CPU {cpu[name]:.2f} s"
        )
    ratio = cpu["predict"] / cpu["encoders alone"]
    print(f"{count} items: predicting takes {ratio:.2f} times the encoders' own CPU time")
    return 0


def _measured(
    options: argparse.Namespace, scratch: Path
) -> tuple[int, dict[str, list[tuple[float, float]]]]:
    """How many items there are, and what each side took, time after time."""
    bundle = Bundle.load(options.model)
    table, single = _tables(options.items, options.most, scratch)
    items = list(read_items(str(table), columns_of(bundle, Columns())))
    _encode(bundle, items[:PART])  # what is loaded and compiled once
    output = scratch / "predictions.csv"
    command = [sys.executable, "-m", "pipeline.predict", str(options.model), str(single)]
    sides: dict[str, Callable[[], object]] = {
        "encoders alone": lambda: _encode(bundle, items),
        "predict": lambda: predict(bundle, options.model, Request(str(table), output)),
        "start": lambda: subprocess.run(
            [*command, "-o", str(output)], check=True, capture_output=True
        ),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(options.times):
        for name, side in sides.items():
            taken[name].append(_timed(side))
    return len(items), taken


def _timed(side: Callable[[], object]) -> tuple[float, float]:
    """Seconds that a side takes, and those of CPU, its processes' included."""
    begun, before = time.perf_counter(), _cpu()
    side()
    return time.perf_counter() - begun, _cpu() - before


def _cpu() -> float:
    """Seconds of CPU that this process and those that it waited for have taken."""
    waited_for = os.times()
    return time.process_time() + waited_for.children_user + waited_for.children_system


def _tables(path: Path, most: int, scratch: Path) -> tuple[Path, Path]:
    """The first rows of a table, and the first alone, as Parquet files."""
    table: pa.Table = pa_csv.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)
    whole, single = scratch / "items.parquet", scratch / "single.parquet"
    pq.write_table(table.slice(0, most), whole)
    pq.write_table(table.slice(0, 1), single)
    return whole, single


def _encode(bundle: Bundle, items: Sequence[Item]) -> None:
    """Encode all items, as many at a time as are predicted together."""
    rest = iter(items)
    while part := list(islice(rest, PART)):
        given = {
            "image": [item.picture for item in part], "text": [item.text for item in part]
        }
        for model in bundle.cell.models:
            for modality, encoder in model.encoders.items():
                encoder.transform([sample for sample in given[modality] if sample is not None])


if __name__ == "__main__":
    sys.exit(main())
