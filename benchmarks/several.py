"""What several encoders of a modality together gain on the best pair, and what they cost.

Run by hand: ``python -m benchmarks.several GRID [GRID ...] [--store FOLDER] [--cells PATTERN]``.
Each cell with several encoders of a modality is held against a cell of the same fusion and
classifier with one of each: the one that is best on the outer folds, which is known only afterwards
and favours the pair. Printed are the pair, mean scores in the grid's metric, the mean difference
over the same outer folds with the corrected 95 % interval, the folds that are better, the same of
the log loss (below 0: lower than the pair's), and seconds of the processor for a fit of each on the
first fold, with nothing that other cells worked out before it; those of a combination are those of
its parts.

Features and results come from the store, or go there; for the seconds, cells are fitted anew.
"""

from __future__ import annotations

import argparse
import itertools
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.halves import gained, interval, is_half, scored, text_of
from models.kept import RECENT
from pipeline.config.cells import Cell
from pipeline.config.components import members_of
from pipeline.config.parse import read_grid
from pipeline.engine.processes import Processes
from pipeline.engine.progress import progress
from pipeline.plan.execute import encoded
from pipeline.plan.load import load
from pipeline.plan.plan import make_plan
from pipeline.store.opening import DEFAULT_STORE, store_at
from pipeline.tasks.fit import _result
from reports.fold_record import FoldRecord


@dataclass(frozen=True)
class Beside:
    """A cell with several encoders of a modality, and the best pair under the same fusion."""

    cell: Cell
    pair: Cell


def besides(
    folds: Mapping[Cell, Sequence[FoldRecord]], metric: str, pattern: str
) -> list[Beside]:
    """Every cell with several encoders that has a pair beside it."""
    pairs: dict[tuple[object, object], list[Cell]] = {}
    for cell in folds:
        if not is_half(cell) and _encoders(cell) == 2:
            pairs.setdefault((cell.fusion, cell.classifier), []).append(cell)
    several = [
        cell
        for cell in folds
        if _encoders(cell) > 2 and not is_half(cell) and re.search(pattern, cell.name)
    ]
    return [
        Beside(cell, max(others, key=lambda pair: _mean(folds[pair], metric)))
        for cell in several
        if (others := pairs.get((cell.fusion, cell.classifier)))
    ]


def _encoders(cell: Cell) -> int:
    """How many encoders of both modalities it uses; 0 of a cell that names none."""
    return sum(len(members_of(named)) for named in (cell.image, cell.text) if named is not None)


def _mean(folds: Sequence[FoldRecord], metric: str) -> float:
    return fmean(fold.scores[metric] for fold in folds)


def seconds_of(path: Path, store: str, cells: Sequence[Cell]) -> dict[str, float]:
    """Processor seconds of a fit of each cell on the first fold, by name, in this process."""
    opened = store_at(store)
    whole = load(read_grid(path), opened, Processes(1), progress)
    parts = itertools.chain.from_iterable(cell.parts for cell in cells)
    asked = list(dict.fromkeys([*parts, *cells]))
    comparison = whole.of(asked, whole.folds[:1], progress)
    plan = make_plan(comparison)
    encoded(plan.features.values(), comparison)
    seconds: dict[str, float] = {}
    for unit in plan.units:
        unit.estimator.warm_up()
        RECENT.clear()
        begun = time.process_time()
        _result(unit, comparison.context, opened)
        seconds[unit.cell.name] = time.process_time() - begun
    for cell in (cell for cell in cells if cell.parts):
        seconds[cell.name] = sum(seconds[part.name] for part in cell.parts)
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("grids", type=Path, nargs="+")
    parser.add_argument("--store", default=DEFAULT_STORE)
    parser.add_argument("--cells", default="", help="regular expression that names must hold")
    asked = parser.parse_args()
    print("| grid | cell | best pair | its score | score | over it | folds better | its log loss "
          "| log loss | over it | folds lower | its s | s |")
    print(f"|:--|:--|:--|{'--:|' * 10}", flush=True)
    for path in asked.grids:
        run = scored(path, asked.store, 1.0, "")
        beside = besides(run.folds, run.metric, asked.cells)
        compared = [*(held.cell for held in beside), *(held.pair for held in beside)]
        seconds = seconds_of(path, asked.store, compared)
        for held in beside:
            folds, pair = run.folds[held.cell], run.folds[held.pair]
            parts = [run.name, held.cell.name, held.pair.name]
            for metric, sign in ((run.metric, 1), ("log_loss", -1)):
                gains = gained(folds, pair, metric)
                better = sum(sign * gain > 0 for gain in gains)
                parts += [f"{_mean(pair, metric):.3f}", f"{_mean(folds, metric):.3f}"]
                parts += [text_of(interval(gains, run)), f"{better} of {len(gains)}"]
            parts += [f"{seconds[cell.name]:.2f}" for cell in (held.pair, held.cell)]
            print(f"| {' | '.join(parts)} |", flush=True)


if __name__ == "__main__":
    main()
