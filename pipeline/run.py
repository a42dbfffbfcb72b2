"""The command line: `python -m pipeline.run grid.yaml`; what it does stands in pipeline.flow.

A table or a folder in place of the grid is run by the grid that `python -m pipeline.new` writes.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from features.machine.facts import caching_facts
from pipeline import flow
from pipeline.command.browser import show
from pipeline.command.ending import ended
from pipeline.command.options import command_line, command_of, engine_of, limit_of
from pipeline.config.grid import Grid, GridError
from pipeline.config.parse import read_grid
from pipeline.config.plugins.active import carried
from pipeline.data.dataset import DatasetError
from pipeline.data.samples import SourceError
from pipeline.engine.limit import TimeLimit
from pipeline.engine.opening import engine_at
from pipeline.engine.progress import progress, quiet, showing
from pipeline.engine.stopping import stoppable
from pipeline.engine.task import Engine, EngineError
from pipeline.plan.assignment import Assignment
from pipeline.plan.checks import checks_before_fits
from pipeline.plan.comparison import Comparison
from pipeline.plan.load import load
from pipeline.plan.plan import make_plan
from pipeline.plan.text import plan_text
from pipeline.plan.versions import KEYED, package_versions
from pipeline.program.names import called
from pipeline.results.lock import lock_text
from pipeline.results.tracking.tracking import TrackingError
from pipeline.start.draft import NoStart, is_data
from pipeline.store.opening import store_at
from pipeline.store.remember import fact_cache

PROBLEMS = (GridError, SourceError, DatasetError, EngineError, NoStart, TrackingError)
FAILED, ALARMED = 1, 3  # exit codes
PLAN = ["--plan"]  # what the command plan puts first


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a grid.

    Exit code 0: all done, or all that the time allows; 1: some cells failed; 3: alarms, where asked
    to be strict. For others see pipeline.command.ending.
    """
    begun = time.monotonic()
    given = sys.argv[1:] if arguments is None else arguments
    options = parser("plan" if given[:1] == PLAN else "run").parse_args(given)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    if options.verbose:
        logging.getLogger("modalgrid").setLevel(logging.INFO)
    with quiet() if options.quiet else nullcontext(), showing() as shown:
        shown.state.exit = ended(lambda: _carried_out(options, begun), PROBLEMS)
        return shown.state.exit


def parser(command: str = "run") -> argparse.ArgumentParser:
    """What the command line understands; see pipeline.command.options."""
    return command_line(command)


def _carried_out(options: argparse.Namespace, begun: float) -> int:
    with caching_facts(fact_cache(store_at(options.store))):
        grid = _grid(options)
        opened = engine_at(*engine_of(options, grid.run), options.jobs, KEYED, carried())
        with opened as engine:
            text = limit_of(options, grid.run)
            limit = None if text is None else TimeLimit(text, begun)
            begin = _planned if options.plan else _run
            return begin(replace(grid, track=options.track or grid.track), options, engine, limit)


def _grid(options: argparse.Namespace) -> Grid:
    """The grid that is named, or that of the table or folder that is."""
    if not is_data(options.grid):
        return read_grid(options.grid, look=True)
    # reads tables, which a run of a grid may do without
    from pipeline.start.run_of_data import grid_of_data

    grid, options.grid = grid_of_data(
        options.grid, options.out, store_at(options.store), called("run"),
        write=not options.plan,
    )
    return grid


def _planned(
    grid: Grid, options: argparse.Namespace, engine: Engine, limit: TimeLimit | None
) -> int:
    store = store_at(options.store)
    comparison = load(grid, store, engine, progress, keep=store.is_made)
    plan, checked = make_plan(comparison), checks_before_fits(comparison)
    print(plan_text(plan, comparison, checked, limit))
    print(f"\nthe grid, filled in:\n\n{_lock(comparison).rstrip()}")
    return _code(options, bool(plan.failures), any(check.severe for check in checked))


def _code(options: argparse.Namespace, failures: bool, alarms: bool) -> int:
    if failures:
        return FAILED
    return ALARMED if alarms and options.strict else 0


def _lock(comparison: Comparison) -> str:
    return lock_text(comparison.grid, package_versions(), comparison.dataset.fingerprint)


def _run(
    grid: Grid, options: argparse.Namespace, engine: Engine, limit: TimeLimit | None
) -> int:
    folder = options.out or Path("runs") / grid.name
    command = command_of(options)
    conclusion = flow.conclude(
        Assignment(grid, options.grid, options.store, folder, command, limit=limit), engine
    )
    if options.quiet:
        conclusion.say_worst(partial(print, file=sys.stderr))
    print(f"report: {folder / 'report.html'}")
    print("\n".join(conclusion.closing))
    if options.open:
        show(folder / "report.html")
    return _code(options, bool(conclusion.failures), bool(conclusion.alarms))


if __name__ == "__main__":
    sys.exit(stoppable(main))
