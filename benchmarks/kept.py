"""What it saves that a process keeps in memory what several cells of a fold need (models/kept.py).

Run by hand: ``OMP_NUM_THREADS=1 python -m benchmarks.kept GRID [--cells PATTERN] [--repeats N]
[--store FOLDER]``. The grid's cells whose names match are fitted on the first fold, one after
another in one process and one thread, in turn with and without anything kept; features come from
the store, and results are not put there. Printed are median seconds of the processor for each cell
and for all, and whether all predictions are the same to the bit.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from threadpoolctl import threadpool_limits

from models.kept import RECENT
from pipeline.config.parse import read_grid
from pipeline.engine.processes import Processes
from pipeline.engine.progress import progress
from pipeline.plan.execute import encoded
from pipeline.plan.load import load
from pipeline.plan.plan import make_plan
from pipeline.store.opening import DEFAULT_STORE, store_at
from pipeline.store.store import Store
from pipeline.tasks.context import Context
from pipeline.tasks.fit import _result
from pipeline.tasks.unit import Unit

Measured = dict[str, dict[str, list[float]]]


def prepared(path: Path, pattern: str, store: Store) -> tuple[list[Unit], Context]:
    """The matching cells on the first fold, with their features in the store."""
    whole = load(read_grid(path), store, Processes(1), progress)
    cells = [cell for cell in whole.cells if re.search(pattern, cell.name)]
    comparison = whole.of(cells, whole.folds[:1], progress)
    plan = make_plan(comparison)
    encoded(plan.features.values(), comparison)
    return list(plan.units), comparison.context


def measure(
    units: list[Unit], context: Context, store: Store, repeats: int
) -> tuple[Measured, bool]:
    """Seconds of every cell by side, and whether all predictions were equal."""
    seconds: Measured = {unit.cell.name: {"without": [], "with": []} for unit in units}
    predictions: dict[str, set[bytes]] = {unit.cell.name: set() for unit in units}
    for unit in units:
        unit.estimator.warm_up()
    for side in ("without", "with") * repeats:
        RECENT.clear()
        nothing = patch.object(RECENT, "get", lambda decided_by, compute, size: compute())
        with nothing if side == "without" else nullcontext():
            for unit in units:
                begun = time.process_time()
                probabilities: Any = _result(unit, context, store).arrays["probabilities"]
                seconds[unit.cell.name][side].append(time.process_time() - begun)
                predictions[unit.cell.name].add(probabilities.tobytes())
    return seconds, all(len(different) == 1 for different in predictions.values())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("grid", type=Path)
    parser.add_argument(
        "--cells", default="", help="regular expression that is searched for in the cells' names"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--store", default=DEFAULT_STORE)
    options = parser.parse_args()
    store = store_at(options.store)
    units, context = prepared(options.grid, options.cells, store)
    with threadpool_limits(1):
        seconds, equal = measure(units, context, store, options.repeats)
    medians = {name: {side: statistics.median(times) for side, times in sides.items()}
               for name, sides in seconds.items()}
    medians["all"] = {
        side: sum(of_cell[side] for of_cell in medians.values()) for side in ("without", "with")
    }
    width = max(map(len, medians))
    print(f"{'cell':{width}}{'without':>10}{'with':>10}{'ratio':>8}")
    for name, of_cell in medians.items():
        without, shared = of_cell["without"], of_cell["with"]
        print(f"{name:{width}}{without:10.2f}{shared:10.2f}{without / shared:8.2f}")
    predictions = "the same to the bit" if equal else "DIFFER"
    print(f"predictions {predictions}; {RECENT.bytes / 2**20:.0f} MB kept at the end")


if __name__ == "__main__":
    main()
