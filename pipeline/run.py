"""The command line: `python -m pipeline.run grid.yaml`; it reads top to bottom as the flow."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from features.machine.facts import caching_facts
from pipeline.config.grid import Grid, GridError
from pipeline.config.parse import read_grid
from pipeline.data.dataset import DatasetError
from pipeline.data.samples import SourceError
from pipeline.engine.opening import engine_at
from pipeline.engine.progress import progress, say
from pipeline.engine.run_all import counts
from pipeline.engine.task import Engine, EngineError, NoWorkers
from pipeline.followup.attention_maps import attention
from pipeline.followup.label_issues import label_issues
from pipeline.followup.learning_curve import LearningCurve, learning_curve
from pipeline.followup.probe_scores import score_probes
from pipeline.followup.probes import probe_all
from pipeline.options import command_line, command_of, engine_of
from pipeline.plan.checks import checks_before_fits
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import run_plan
from pipeline.plan.load import load
from pipeline.plan.plan import Plan, make_plan
from pipeline.plan.text import plan_text
from pipeline.results.files import write_run
from pipeline.results.inner_scores import with_inner_scores
from pipeline.results.lock import lock_text
from pipeline.results.origin import origin_json
from pipeline.results.record import (
    KEYED,
    package_versions,
    remarks_of,
    scored_record,
    work_record,
)
from pipeline.results.scores import Scores
from pipeline.store.opening import store_at
from pipeline.store.remember import fact_cache
from reports.analysis.checks import Check, checks, encoding_checks
from reports.follow_up_record import FollowUpRecord
from reports.record import RunRecord, ScoredRecord
from reports.wording import count

GO_ON = "what is finished is kept: run the same command to go on"
LISTED = 10  # rows left out that the terminal names; the report names all


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a grid. Exit code 0: all done; 1: some cells failed; 2: mistakes in grid or data."""
    options = command_line().parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        with caching_facts(fact_cache(store_at(options.store))):
            grid = read_grid(options.grid)
            with engine_at(*engine_of(options, grid.run), options.jobs, KEYED) as engine:
                begin = _planned if options.plan else _run
                return begin(grid, options, engine)
    except (GridError, SourceError, DatasetError, EngineError) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"stopped: {error}", file=sys.stderr)
        return 2
    except NoWorkers as error:
        print(f"stopped: {error}; {GO_ON}", file=sys.stderr)
        return 2
    except BrokenExecutor as error:
        print(
            f"stopped: a worker process died, perhaps for want of memory; {GO_ON}, with fewer "
            f"--jobs ({error})",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print(f"\nstopped; {GO_ON}", file=sys.stderr)
        return 130


@dataclass
class _Clock:
    """Wall-clock seconds of each step of the run."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun


def _planned(grid: Grid, options: argparse.Namespace, engine: Engine) -> int:
    store = store_at(options.store)
    comparison = load(grid, store, engine, progress, keep=store.is_made)
    plan = make_plan(comparison)
    print(plan_text(plan, comparison, _lock(comparison)))
    _say_checks(checks_before_fits(comparison))
    return 1 if plan.failures else 0


def _say_checks(checked: Sequence[Check]) -> None:
    for check in checked:
        say(f"{'ALARM' if check.severe else 'warning'}: {check.sentence}")


def _lock(comparison: Comparison) -> str:
    return lock_text(comparison.grid, package_versions(), comparison.dataset.fingerprint)


def _run(grid: Grid, options: argparse.Namespace, engine: Engine) -> int:
    clock = _Clock()
    folder = options.out or Path("runs") / grid.name
    _made("--store", options.store, store_at(options.store).make)
    with clock.step("read and check the data, draw folds"):
        comparison = load(grid, store_at(options.store), engine, progress)
    # where it cannot be made, better said now than after all the work
    _made("--out", folder, partial(folder.mkdir, parents=True, exist_ok=True))
    _say_data(comparison)
    before = checks_before_fits(comparison)
    _say_checks(before)
    with clock.step("encode and fit"):
        plan = make_plan(comparison)
        outcomes = run_plan(plan, comparison)
    features, results = outcomes.features.values(), outcomes.units.values()
    say(f"features: {counts(features)}; results: {counts(results)}")
    with clock.step("score"):
        scores = Scores(plan, outcomes, comparison)
        scored = scored_record(comparison, scores, command_of(options))
    with clock.step("fit on inner folds what could be chosen"):
        scored, chosen_by = with_inner_scores(scored, scores, plan, comparison)
    if chosen_by:
        say(f"inner folds of what could be chosen: {counts(chosen_by.values())}")
    follow_up = _follow_up(plan, scores, scored, comparison, clock)
    work = work_record(plan, outcomes, chosen_by, comparison, clock.seconds)
    checked = remarks_of([*before, *checks(scored), *encoding_checks(work.encoded)])
    record = RunRecord.of(scored, follow_up, work, checked)
    origin = origin_json(options.grid, comparison.store.address, folder)
    write_run(record, comparison.folds, folder, origin)
    return _finish(record, folder, said={check.sentence for check in before if not check.severe})


def _follow_up(
    plan: Plan, scores: Scores, scored: ScoredRecord, comparison: Comparison, clock: _Clock
) -> FollowUpRecord:
    """What the best cells are asked once all are scored."""
    with clock.step("ask what was attended to"):
        looked_at = attention(plan, scores, comparison)
    with clock.step("ask the best cells about altered rows"):
        probed = probe_all(scored, plan, comparison)
        altered, additive = score_probes(probed.probes, scored, comparison)
    say(f"altered rows: {counts(probed.outcomes.values())}")
    with clock.step("look for doubtful labels"):
        doubtful = label_issues(scored, comparison.store)
    few = LearningCurve((), ())
    if comparison.grid.learning_curve:
        with clock.step("learning curve"):
            few = learning_curve(scored, plan, comparison)
    return FollowUpRecord(
        probes=altered,
        additive=additive,
        attention=looked_at.records,
        learning_curve=few.curve,
        label_issues=doubtful.record,
        failures=few.failures,
        warnings=(*looked_at.remarks, *probed.problems, *doubtful.problems),
    )


def _made(option: str, address: Path | str, make: Callable[[], None]) -> None:
    try:
        make()
    except OSError as error:
        raise OSError(
            f"{option} {address} cannot be made ({error.strerror or error}): name another"
        ) from error


def _say_data(comparison: Comparison) -> None:
    dataset = comparison.dataset
    say(
        f"{count(len(dataset), 'row')}, {count(len(dataset.classes), 'class', 'classes')}, "
        f"{count(len(comparison.folds), 'fold')}, {count(len(comparison.cells), 'cell')}"
    )
    _say_dropped(dataset.dropped)


def _say_dropped(dropped: Sequence[str]) -> None:
    if dropped:
        subject = count(len(dropped), "row is", "rows are")
        more = (
            f"\n  ... and {len(dropped) - LISTED} more: see the report"
            if len(dropped) > LISTED
            else ""
        )
        say("\n  ".join([f"warning: {subject} left out:", *dropped[:LISTED]]) + more)


def _finish(record: RunRecord, folder: Path, said: Collection[str]) -> int:
    """Write the report and say what it holds; alarms twice, warnings where they were not `said`."""
    from reports.page.render import write_report
    from reports.page.terminal import closing

    write_report(record, folder)
    for alarm in record.alarms:
        say(f"ALARM: {alarm}")
    for warning in (warning for warning in record.warnings if warning not in said):
        say(f"warning: {warning}")
    for cell in dict.fromkeys(failure.cell for failure in record.failures):
        error = next(failure.error for failure in record.failures if failure.cell == cell)
        say(f"failed: {cell}: {error}")
    print(f"report: {folder / 'report.html'}")
    print(closing(record))
    return 1 if record.failures else 0


if __name__ == "__main__":
    sys.exit(main())
