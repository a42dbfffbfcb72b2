"""The command line: `python -m pipeline.run grid.yaml`. main() reads top to bottom as the flow of the design."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import starmap
from pathlib import Path

from features.machine.cores import cores
from features.machine.remembered import remembering
from pipeline.config.cells import Cell, expand, sample_modalities
from pipeline.config.grid import Grid, GridError
from pipeline.config.parse import read_grid
from pipeline.data.build import build
from pipeline.data.class_texts import with_class_texts
from pipeline.data.dataset import Dataset, DatasetError
from pipeline.data.row_check import RowRules
from pipeline.data.samples import SourceError
from pipeline.data.sources import SOURCES
from pipeline.data.sources.class_texts import read_class_texts
from pipeline.engine.attempts import Done, Failed
from pipeline.engine.progress import progress, say
from pipeline.folds.draw import draw
from pipeline.folds.fold import Fold
from pipeline.folds.leaks import leaks
from pipeline.followup.attention_maps import attention_records
from pipeline.followup.learning_curve import with_learning_curve
from pipeline.followup.probe_scores import with_probes
from pipeline.plan.combinations import combinations, learn_all
from pipeline.plan.execute import run_plan
from pipeline.plan.plan import make_plan
from pipeline.plan.text import plan_text
from pipeline.results.files import write_run
from pipeline.results.lock import lock_text
from pipeline.results.record import (
    checked,
    encoded_records,
    package_versions,
    record_of,
    stage_records,
)
from pipeline.results.scores import collect
from pipeline.store.remember import memory
from pipeline.store.store import DEFAULT_STORE, Store
from pipeline.tasks.context import context_of
from reports.analysis.checks import checks
from reports.record import RunRecord, StepRecord

LISTED = 10  # rows left out that the terminal names; the report names all


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a grid. Exit code 0: all done; 1: some cells failed; 2: the grid or the data has mistakes."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        with remembering(memory(Store(options.store))):
            grid = read_grid(options.grid)
            return _planned(grid, options) if options.plan else _run(grid, options)
    except (GridError, SourceError, DatasetError) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"stopped: {error}", file=sys.stderr)
        return 2
    except BrokenExecutor as error:
        print(f"stopped: a worker process died, perhaps for want of memory; what is finished is kept: run the same "
              f"command to go on, with fewer --jobs ({error})", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; what is finished is kept: run the same command to go on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline.run", description=(
        "Compare picture and text classifiers on the same folds and write a report."))
    parser.add_argument("grid", type=Path, help="the grid file (YAML)")
    parser.add_argument("--out", type=Path, help="folder for the results (default: runs/NAME)")
    parser.add_argument("--store", type=Path, default=DEFAULT_STORE,
                        help="folder of the cached features and results (default: %(default)s)")
    parser.add_argument(
        "--jobs",
        type=_jobs,
        default=cores(),
        help="processes that fit models side by side (default: the cores, %(default)s)",
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="check the grid and the data, print what there is to do, and compute nothing",
    )
    return parser


def _jobs(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of processes, 1 at least, not '{text}'")
    return int(text)


@dataclass
class _Clock:
    """Wall-clock seconds of each step of the run."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun


def _load(
    grid: Grid, store: Store, keep: bool = True
) -> tuple[Dataset, tuple[Fold, ...], tuple[Cell, ...]]:
    """Data set, folds and cells of a grid; `keep` what takes long to draw in the store."""
    cells = expand(grid)
    source, unseen = SOURCES[grid.data.name](**grid.data.parameters), grid.split.unseen_classes
    dataset = build(
        source.load(grid.folder),
        sample_modalities(cells),
        RowRules(
            grid.on_bad_rows,
            grid.split.group,
            smallest_class=1 if unseen else grid.split.folds or 2,
            keep_unlabelled=grid.keep_unlabelled,
        ),
        store,
    )
    if unseen:
        dataset = with_class_texts(dataset, read_class_texts(grid.class_texts, grid.folder))
    return dataset, draw(dataset, grid.split, grid.seed, store if keep else None), cells


def _planned(grid: Grid, options: argparse.Namespace) -> int:
    store = Store(options.store)
    dataset, folds, cells = _load(grid, store, keep=options.store.is_dir())
    plan = make_plan(grid, cells, dataset, folds)
    lock = lock_text(grid, package_versions(), dataset.fingerprint)
    print(
        plan_text(plan, cells, len(dataset.classes), store, lock, options.jobs, grid.learning_curve)
    )
    return 1 if plan.failures else 0


def _run(grid: Grid, options: argparse.Namespace) -> int:
    clock, store = _Clock(), Store(options.store)
    folder = options.out or Path("runs") / grid.name
    _make("--store", options.store)
    with clock.step("read and check the data, draw folds"):
        dataset, folds, cells = _load(grid, store)
    _make("--out", folder)  # where it cannot be made, better said now than after all the work
    say(
        f"{len(dataset)} rows, {len(dataset.classes)} classes, {len(folds)} folds, {len(cells)} cells"
    )
    _say_dropped(dataset.dropped)
    with clock.step("encode and fit"):
        plan = make_plan(grid, cells, dataset, folds)
        context = context_of(dataset, grid.tuning_metric, store)
        features, outcomes = run_plan(plan, dataset, context, store, options.jobs, progress)
        combined = combinations(plan, cells, folds, grid.seed)
        learned = learn_all(combined, plan, outcomes, context, options.jobs, progress)
    say(f"features: {_counts(features.values())}; results: {_counts(outcomes.values())}")
    with clock.step("score"):
        found = collect(plan, outcomes, combined, dataset, context, store)
    with clock.step("ask what was attended to"):
        attention, remarks = attention_records(plan, found, dataset, context, grid.metric, store)
    record = record_of(grid, options, dataset, folds, cells, found)
    record = replace(record, encoded=encoded_records(plan, store), attention=attention,
                     warnings=(*record.warnings, *remarks))
    with clock.step("ask the best cells about altered rows"):
        record, asked = with_probes(
            record, plan, combined, dataset, context, grid.seed, options.jobs, progress
        )
    say(f"altered rows: {_counts(asked)}")
    record = checked(record, [*leaks(dataset, folds), *checks(record)])
    if grid.learning_curve:
        with clock.step("learning curve"):
            record = with_learning_curve(
                record, grid, cells, plan, dataset, folds, context, store, options.jobs
            )
    record = replace(
        record,
        steps=tuple(starmap(StepRecord, clock.seconds.items())),
        stages=stage_records(
            plan,
            features,
            outcomes,
            [(combined[position], one) for position, one in learned.items()],
            store,
        ),
    )
    write_run(record, folds, folder)
    return _finish(record, folder)


def _make(option: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"{option} {folder} cannot be made ({error.strerror}): name another folder"
        ) from error


def _counts(outcomes: Iterable[Done | Failed]) -> str:
    done = [one for one in outcomes if isinstance(one, Done)]
    reused = sum(one.reused for one in done)
    return f"{len(done) - reused} computed, {reused} reused"


def _say_dropped(dropped: Sequence[str]) -> None:
    if dropped:
        more = (
            f"\n  ... and {len(dropped) - LISTED} more: see the report"
            if len(dropped) > LISTED
            else ""
        )
        say("\n  ".join([f"warning: {len(dropped)} rows are left out:", *dropped[:LISTED]]) + more)


def _finish(record: RunRecord, folder: Path) -> int:
    from reports.page.render import write_report

    write_report(record, folder)
    for alarm in record.alarms:
        say(f"ALARM: {alarm}")
    for warning in record.warnings:
        say(f"warning: {warning}")
    for cell in dict.fromkeys(failure.cell for failure in record.failures):
        error = next(failure.error for failure in record.failures if failure.cell == cell)
        say(f"failed: {cell}: {error}")
    print(f"report: {folder / 'report.html'}")
    return 1 if record.failures else 0


if __name__ == "__main__":
    sys.exit(main())
