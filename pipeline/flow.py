"""The flow of a run, top to bottom: from a grid to the files of its folder."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pipeline.config.grid import Grid
from pipeline.data.dataset import DatasetError
from pipeline.data.left_out import DROPPED, LeftOut, dropped_csv, told_rows
from pipeline.data.samples import Samples, SourceError
from pipeline.engine.limit import Limit
from pipeline.engine.progress import Showing, progress, say, showing, step
from pipeline.engine.run_all import counts
from pipeline.engine.task import Engine
from pipeline.followup.attention_maps import attention
from pipeline.followup.label_issues import label_issues
from pipeline.followup.learning_curve import LearningCurve, learning_curve
from pipeline.followup.probe_scores import score_probes
from pipeline.followup.probes import probe_all
from pipeline.plan.checks import checks_before_fits, said
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import PlanOutcomes, run_plan
from pipeline.plan.load import load
from pipeline.plan.plan import Plan, make_plan
from pipeline.plan.reached import Reached, reached
from pipeline.results.files import write_run
from pipeline.results.inner_ranks import with_inner_ranks
from pipeline.results.inner_scores import with_inner_scores
from pipeline.results.live import LivePage
from pipeline.results.origin import origin_json
from pipeline.results.placing import make_writable, placed
from pipeline.results.record import remarks_of, scored_record, step_records, work_record
from pipeline.results.retrieval import retrieval_record, with_checks, write_retrieval_run
from pipeline.results.same_class import with_same_class
from pipeline.results.scores import Scores
from pipeline.results.tracking.tracking import check_tracker, track
from pipeline.results.unreached import Unasked, follow_ups, with_unreached
from pipeline.store.files import write_text, writing
from pipeline.store.opening import store_at
from pipeline.store.store import Store
from pipeline.store.tending.listing import ENTRIES, entries_used
from reports.analysis.checks import Check, checks, encoding_checks
from reports.follow_up_record import FollowUpRecord
from reports.page.files import write_whole
from reports.record import RunRecord, ScoredRecord
from reports.retrieval_record import RetrievalRecord
from reports.wording import count, for_terminal

logger = logging.getLogger("modalgrid.flow")


@dataclass(frozen=True)
class Assignment:
    """A run that is to be made.

    Parameters
    ----------
    grid : what is compared, on which rows.
    grid_file : where it stands, or would stand.
    store : address of the store.
    folder : for the run's files.
    command : what gives the run again.
    samples : rows that are in memory; None for those of the grid's source.
    named : what messages call store and folder.
    limit : says which of its work may still begin; None for all.
    """

    grid: Grid
    grid_file: Path
    store: str
    folder: Path
    command: str
    samples: Samples | None = None
    named: tuple[str, str] = ("--store", "--out")
    limit: Limit | None = None


@dataclass(frozen=True, eq=False)
class Finished:
    """A run that was made: all that it knows, and what it compared."""

    record: RunRecord | RetrievalRecord
    comparison: Comparison


@dataclass
class _Clock:
    """Wall-clock seconds of each step of the run."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        with step(name):
            yield
        self.seconds[name] = time.perf_counter() - begun
        logger.info("%s: %.1f s", name, self.seconds[name])


def carry_out(assignment: Assignment, engine: Engine) -> Finished:
    """Compare what a grid says, and write the run's folder and its report.

    Raises
    ------
    SourceError, DatasetError
        With everything that is wrong with the data.
    TrackingError
        Where the grid's tracker is not installed, or did not take the finished run.
    OSError
        Where the store or the folder cannot be made.
    """
    check_tracker(assignment.grid.track)
    with showing() as shown:
        store = store_at(assignment.store)
        _made(assignment.named[0], assignment.store, store.make)
        store.used.clear()
        # where it cannot be made, better said now than after all the work
        _made(assignment.named[1], assignment.folder, partial(make_writable, assignment.folder))
        shown.state.name, shown.state.command = assignment.grid.name, assignment.command
        finished = _finished(assignment, engine, *_loaded(assignment, engine, store, shown))
        with shown.state.lock:
            shown.state.failures = len(finished.record.failures)
        return finished


def _loaded(
    assignment: Assignment, engine: Engine, store: Store, shown: Showing
) -> tuple[Comparison, _Clock]:
    """What is compared. Of a run whose data is refused nothing stays in its folder."""
    clock, page = _Clock(), LivePage(shown.state, assignment.folder)
    shown.views.append(page)
    try:
        with clock.step("read and check the data, draw folds"):
            loaded = load(assignment.grid, store, engine, progress, samples=assignment.samples)
    except (SourceError, DatasetError):
        shown.views.remove(page)
        page.remove()
        raise
    return replace(loaded, limit=assignment.limit), clock


def _finished(
    assignment: Assignment, engine: Engine, comparison: Comparison, clock: _Clock
) -> Finished:
    _say_data(comparison)
    before = checks_before_fits(comparison)
    say_checks(before)
    with clock.step("encode and fit"):
        plan = make_plan(comparison)
        outcomes = run_plan(plan, comparison)
    _say_outcomes(outcomes)
    whole = reached(plan, outcomes, comparison)
    carried_out = _CarriedOut(assignment, comparison, plan, outcomes, before, clock, whole)
    scored = _scored_pairs if assignment.grid.task == "retrieval" else _scored_classes
    finished = Finished(scored(carried_out), comparison)
    tracker = assignment.grid.track
    if tracker is not None:
        say(track(assignment.folder, tracker))
    return finished


@dataclass(frozen=True, eq=False)
class _CarriedOut:
    """A plan and what came of it.

    `before` are the checks that were made before it, `whole` is what can be compared of it.
    """

    assignment: Assignment
    comparison: Comparison
    plan: Plan
    outcomes: PlanOutcomes
    before: Sequence[Check]
    clock: _Clock
    whole: Reached

    @property
    def origin(self) -> str:
        """Text of origin.json."""
        assignment = self.assignment
        return origin_json(
            assignment.grid_file, self.comparison.store.address, assignment.folder
        )

    @contextmanager
    def placed(self) -> Iterator[Path]:
        """A folder for the run's files, which take the place of an earlier run's together."""
        folder = self.assignment.folder
        option = self.assignment.named[1]
        advice = f"free some there, or say {option} for another; all results are in the store"
        with writing(folder, advice), placed(folder) as aside:
            yield aside

    def write_lists(self, folder: Path) -> None:
        """Write which entries of the store it used, and the rows that were left out, if any."""
        keys = entries_used(self.plan.features, self.comparison.store)
        text = "".join(f"{key}\n" for key in sorted(keys))
        write_whole(folder / ENTRIES, lambda path: write_text(path, text))
        rows = self.comparison.dataset.left_out
        if rows:
            write_whole(folder / DROPPED, lambda path: write_text(path, dropped_csv(rows)))

    def report(self, record: RunRecord | RetrievalRecord, folder: Path) -> None:
        """Write the report and say what it holds."""
        _report(record, folder, remarks_of(self.before).warnings)


def _scored_pairs(done: _CarriedOut) -> RetrievalRecord:
    """The record of a run of retrieval, its files and its report."""
    plan, comparison, clock = done.whole.plan, done.whole.comparison, done.clock
    with clock.step("score"):
        scored = retrieval_record(plan, done.outcomes, comparison, done.assignment.command)
    with clock.step("learn on inner folds what could be chosen"):
        scored, chosen_by, unchosen = with_inner_ranks(scored, plan, comparison)
    if chosen_by:
        say(f"inner folds of what could be chosen: {counts(chosen_by.values())}")
    with clock.step("answer"):
        work = work_record(done.plan, done.outcomes, chosen_by, comparison, {})
        checked = [*done.before, *encoding_checks(work.encoded)]
        unreached = follow_ups(done.whole, Unasked(unchosen))
        made = with_unreached(replace(scored, **vars(work)), unreached)
        record = with_checks(made, checked)
    record = replace(record, steps=step_records(clock.seconds))
    with step("write the results and the report"), done.placed() as aside:
        write_retrieval_run(record, comparison.folds, aside, done.origin)
        done.write_lists(aside)
        done.report(record, aside)
    return record


def _scored_classes(done: _CarriedOut) -> RunRecord:
    """The record of a run of classification, its files and its report."""
    plan, comparison, clock = done.whole.plan, done.whole.comparison, done.clock
    with clock.step("score"):
        scores = Scores(plan, done.outcomes, comparison)
        scored = scored_record(comparison, scores, done.assignment.command)
    uncompared: Sequence[str] = ()
    if comparison.grid.extra_metrics:
        with clock.step("look for rows of the same class"):
            scored, compared, uncompared = with_same_class(scored, plan, comparison)
        say(f"rows of the same class: {counts(compared.values())}")
    with clock.step("fit on inner folds what could be chosen"):
        scored, chosen_by, unchosen = with_inner_scores(scored, scores, plan, comparison)
    if chosen_by:
        say(f"inner folds of what could be chosen: {counts(chosen_by.values())}")
    follow_up, unasked = _follow_up(plan, scores, scored, comparison, clock)
    work = work_record(done.plan, done.outcomes, chosen_by, comparison, clock.seconds)
    checked = remarks_of([*done.before, *checks(scored), *encoding_checks(work.encoded)])
    unreached = follow_ups(
        done.whole, replace(unasked, unchosen=unchosen, uncompared=uncompared)
    )
    record = RunRecord.of(with_unreached(scored, unreached), follow_up, work, checked)
    with step("write the results and the report"), done.placed() as aside:
        write_run(record, comparison.folds, aside, done.origin)
        done.write_lists(aside)
        done.report(record, aside)
    return record


def say_checks(checked: Sequence[Check]) -> None:
    """Say what the rows and folds show before anything is fitted."""
    for check in checked:
        say(said(check))


def _say_outcomes(outcomes: PlanOutcomes) -> None:
    features, results = outcomes.features.values(), outcomes.units.values()
    say(f"features: {counts(features)}; results: {counts(results)}")


def _follow_up(
    plan: Plan, scores: Scores, scored: ScoredRecord, comparison: Comparison, clock: _Clock
) -> tuple[FollowUpRecord, Unasked]:
    """What the best cells are asked once all are scored, and what there was no time to ask."""
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
    unasked = Unasked(
        attending=looked_at.not_reached, altered=probed.not_reached, shares=few.not_reached
    )
    record = FollowUpRecord(
        probes=altered,
        additive=additive,
        attention=looked_at.records,
        learning_curve=few.curve,
        label_issues=doubtful.record,
        failures=few.failures,
        warnings=(*looked_at.remarks, *probed.problems, *doubtful.problems),
    )
    return record, unasked


def _made(option: str, address: Path | str, make: Callable[[], None]) -> None:
    try:
        make()
    except OSError as error:
        raise OSError(
            f"{option} {address} cannot be made ({error.strerror or error}): name another"
        ) from error


def _say_data(comparison: Comparison) -> None:
    dataset = comparison.dataset
    rows = (
        f"{count(len(dataset), 'row')}, {count(len(dataset.classes), 'class', 'classes')}"
        if dataset.classes
        else count(len(dataset), "pair")
    )
    say(
        f"{rows}, "
        f"{count(len(comparison.folds), 'fold')}, {count(len(comparison.cells), 'cell')}"
    )
    _say_left_out(dataset.left_out)


def _say_left_out(rows: Sequence[LeftOut]) -> None:
    if rows:
        subject = count(len(rows), "row is", "rows are")
        say(for_terminal("\n  ".join([f"warning: {subject} left out:", *told_rows(rows)])))


def _report(record: RunRecord | RetrievalRecord, folder: Path, said: Collection[str]) -> None:
    """Write the report and say what it holds; alarms twice, warnings where they were not `said`."""
    from reports.page.render import write_report

    write_report(record, folder)
    _say_alarms(record, say)
    for warning in (warning for warning in record.warnings if warning not in said):
        say(for_terminal(f"warning: {warning}"))
    _say_failures(record, say)


def write_worst(record: RunRecord | RetrievalRecord) -> None:
    """Write alarms and failures to standard error, though nothing else is said of the run."""
    write = partial(print, file=sys.stderr)
    _say_alarms(record, write)
    _say_failures(record, write)


def _say_alarms(record: RunRecord | RetrievalRecord, write: Callable[[str], None]) -> None:
    for alarm in record.alarms:
        write(for_terminal(f"ALARM: {alarm}"))


def _say_failures(record: RunRecord | RetrievalRecord, write: Callable[[str], None]) -> None:
    errors: dict[str, str] = {}  # the first of each cell
    for failure in record.failures:
        errors.setdefault(failure.cell, failure.error)
    for error in dict.fromkeys(errors.values()):
        cells = [cell for cell, first in errors.items() if first == error]
        others = f" and {count(len(cells) - 1, 'other cell')}" if len(cells) > 1 else ""
        write(for_terminal(f"failed: {cells[0]}{others}: {error}"))
