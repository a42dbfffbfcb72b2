"""The flow of a run, top to bottom: from a grid to the files of its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.data.dataset import DatasetError
from pipeline.data.left_out import LeftOut, told_rows
from pipeline.data.samples import SourceError
from pipeline.engine.progress import Showing, progress, say, showing, step
from pipeline.engine.task import Engine
from pipeline.plan.assignment import Assignment, Clock
from pipeline.plan.checks import checks_before_fits, said
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import run_plan
from pipeline.plan.load import load
from pipeline.plan.plan import make_plan
from pipeline.plan.reached import reached
from pipeline.results.live import LivePage
from pipeline.results.placing import make_writable
from pipeline.results.ready.conclusion import Conclusion
from pipeline.results.ready.deciding import deciding
from pipeline.results.ready.standing import ReadyReport
from pipeline.results.tracking.tracking import check_tracker, track
from pipeline.store.keys import Ingredients
from pipeline.store.opening import store_at
from pipeline.store.store import Store
from reports.analysis.checks import Check
from reports.wording import count, for_terminal

if TYPE_CHECKING:
    from reports.record import RunRecord
    from reports.retrieval_record import RetrievalRecord


@dataclass(frozen=True, eq=False)
class Finished:
    """A run that was made: all that it knows, what it compared, and what it says at its end."""

    record: RunRecord | RetrievalRecord
    comparison: Comparison
    conclusion: Conclusion


@dataclass(frozen=True, eq=False)
class _Begun:
    """A run whose data was read and checked."""

    assignment: Assignment
    comparison: Comparison
    before: Sequence[Check]
    clock: Clock


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
    with _begun(assignment, engine) as begun:
        finished = _finished(begun, None)
        _track(assignment)
        return finished


def conclude(assignment: Assignment, engine: Engine) -> Conclusion:
    """As `carry_out`, but a report stays as it is that would be made of the very same.

    Raises what `carry_out` does.
    """
    with _begun(assignment, engine) as begun:
        with step("look for the report of the very same"):
            ingredients = deciding(assignment, begun.comparison, begun.before)
            conclusion = _standing(begun, ingredients)
        if conclusion is None:
            conclusion = _finished(begun, ingredients).conclusion
        _track(assignment)
        return conclusion


@contextmanager
def _begun(assignment: Assignment, engine: Engine) -> Iterator[_Begun]:
    """A run whose work is to be done within this, and which is shown meanwhile."""
    check_tracker(assignment.grid.track)
    with showing() as shown:
        store = store_at(assignment.store)
        _made(assignment.named[0], assignment.store, store.make)
        store.used.clear()
        # where it cannot be made, better said now than after all the work
        _made(assignment.named[1], assignment.folder, partial(make_writable, assignment.folder))
        shown.state.name, shown.state.command = assignment.grid.name, assignment.command
        comparison, clock = _loaded(assignment, engine, store, shown)
        _say_data(comparison)
        before = checks_before_fits(comparison)
        say_checks(before)
        yield _Begun(assignment, comparison, before, clock)


def _loaded(
    assignment: Assignment, engine: Engine, store: Store, shown: Showing
) -> tuple[Comparison, Clock]:
    """What is compared. Of a run whose data is refused nothing stays in its folder."""
    clock, page = Clock(), LivePage(shown.state, assignment.folder)
    shown.views.append(page)
    try:
        with clock.step("read and check the data, draw folds"):
            loaded = load(assignment.grid, store, engine, progress, samples=assignment.samples)
    except (SourceError, DatasetError):
        shown.views.remove(page)
        page.remove()
        raise
    return replace(loaded, limit=assignment.limit), clock


def _standing(begun: _Begun, ingredients: Ingredients | None) -> Conclusion | None:
    """What a report has to say that stands; None where it is to be made."""
    store, folder = begun.comparison.store, begun.assignment.folder
    ready = None if ingredients is None else ReadyReport.noted(ingredients, store)
    if ready is None or not ready.stands(folder, store):
        return None
    for line in ready.lines:
        say(line)
    ready.conclusion.say(say)
    return ready.conclusion


def _finished(begun: _Begun, ingredients: Ingredients | None) -> Finished:
    # imports all of reports and what they draw and write with, for which a report that stands
    # has no use (benchmarks.start)
    from pipeline.followup.finishing import CarriedOut

    comparison = begun.comparison
    with begun.clock.step("encode and fit"):
        plan = make_plan(comparison)
        outcomes = run_plan(plan, comparison)
    record, conclusion = CarriedOut(
        begun.assignment, comparison, plan, outcomes, begun.before, begun.clock,
        reached(plan, outcomes, comparison), ingredients,
    ).finish()
    with showing() as shown, shown.state.lock:
        shown.state.failures = len(record.failures)
    return Finished(record, comparison, conclusion)


def _track(assignment: Assignment) -> None:
    tracker = assignment.grid.track
    if tracker is not None:
        say(track(assignment.folder, tracker))


def say_checks(checked: Sequence[Check]) -> None:
    """Say what the rows and folds show before anything is fitted."""
    for check in checked:
        say(said(check))


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
