"""What a user is told of a run: lines that stay, how far it has come, and what is being done now.

On a terminal bars move, elsewhere lines are written, and under `quiet` nothing is; a run's page is
one more view. What runs tells how far it is by `features.advance.advance`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeAlias, TypeVar

from features.advance import heard_by
from pipeline.engine.news import News
from pipeline.engine.showing.lines import Lines
from pipeline.engine.showing.state import Now, Score, Stage, State
from pipeline.engine.showing.tasks import TaskStages
from pipeline.engine.showing.terminal import Terminal
from pipeline.engine.showing.texts import score_text
from pipeline.engine.showing.times import Times, earlier_times
from pipeline.engine.task import Batch, Outcomes, Task
from pipeline.store.store import Store

Item = TypeVar("Item")
Tell: TypeAlias = Callable[[int], object]  # takes how much is done

TICK = 0.25  # seconds between two looks at how far it is


class Report(Protocol):
    """What is told of tasks while they are computed."""

    def began(self, batch: Batch) -> object:
        """A batch has begun."""

    def ended(self, task: Task, outcomes: Outcomes) -> object:
        """A task has ended with these outcomes by key, or failed before it began."""

    def heard(self, news: News) -> object:
        """A running task has told how far it is."""


# The tasks, how many run side by side, and the store -> what takes their reports.
Progress: TypeAlias = Callable[
    [Sequence[Task], int, Store], AbstractContextManager[Report]
]


class View(Protocol):
    """Shows a state."""

    def began(self, stage: Stage) -> None:
        """A stage has begun."""

    def ended(self, stage: Stage) -> None:
        """A stage has ended."""

    def tick(self) -> None:
        """Time has passed. No exception of it ends the run."""

    def close(self) -> None:
        """The run has ended."""


_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing is said and no progress shown meanwhile."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


def say(text: str) -> None:
    """Tell the user, beside the progress."""
    if not _QUIET.get():
        print(text, file=sys.stderr, flush=True)


class Showing:
    """A run that is shown: its state, and all views of it, which a thread keeps up to date."""

    def __init__(self, *, is_quiet: bool) -> None:
        self.state = State()
        self.views: list[View] = []
        if not is_quiet:
            # not by `say`, which a thread of its own would not be quiet for
            view = Terminal if sys.stderr.isatty() else Lines
            self.views.append(view(self.state, _write))
        self._times: Times | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, daemon=True, name="progress")
        self._thread.start()

    def times(self, store: Store) -> Times:
        """How long tasks take; the store is asked once."""
        if self._times is None:
            self._times = Times(earlier_times(store))
        return self._times

    def began(self, stages: Sequence[Stage]) -> None:
        """Show stages that have begun."""
        for stage in stages:
            for view in self.views:
                view.began(stage)

    def ended(self, stages: Sequence[Stage]) -> None:
        """Show stages that have ended."""
        for stage in stages:
            for view in self.views:
                view.ended(stage)

    def tick(self) -> None:
        """Have all views show how far it is; one that cannot any more is left out."""
        for view in list(self.views):
            try:
                view.tick()
            except (OSError, ValueError):  # nobody reads it any more
                self.views.remove(view)

    def close(self) -> None:
        """Show how it ended, and nothing more."""
        self._ended.set()
        self._thread.join(timeout=TICK * 8)
        with self.state.lock:
            if self.state.ending == "running":
                self.state.ending = "done"
        for view in self.views:
            view.close()

    def _keep_up(self) -> None:
        while not self._ended.wait(TICK):
            self.tick()


def _write(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


_SHOWING: ContextVar[Showing | None] = ContextVar("showing", default=None)


@contextmanager
def showing() -> Iterator[Showing]:
    """A run is shown meanwhile; within another one it is part of that."""
    outer = _SHOWING.get()
    shown = outer or Showing(is_quiet=_QUIET.get())
    token = _SHOWING.set(shown)
    try:
        yield shown
    except BaseException as error:
        shown.state.failed(error)
        raise
    finally:
        _SHOWING.reset(token)
        if outer is None:
            shown.close()


@contextmanager
def progress(
    tasks: Sequence[Task], slots: int, store: Store, suffix: str = ""
) -> Iterator[Report]:
    """Show how far each stage of some tasks has come; `suffix` is added to the stages' names."""
    with showing() as shown:
        stages = TaskStages(shown.state, tasks, slots, shown.times(store), suffix)
        try:
            yield _Shown(shown, stages)
        finally:
            shown.ended(stages.close())


class _Shown:
    """Hands reports on to the state, and says what begins and ends to its views."""

    def __init__(self, shown: Showing, stages: TaskStages) -> None:
        self._shown, self._stages = shown, stages
        self.heard = stages.heard

    def began(self, batch: Batch) -> None:
        """See Report."""
        self._shown.began(self._stages.began(batch))

    def ended(self, task: Task, outcomes: Outcomes) -> None:
        """See Report."""
        self._shown.ended(self._stages.ended(task, outcomes))


@contextmanager
def step(name: str, total: int = 0, noun: str = "") -> Iterator[Tell]:
    """Show a step of this process meanwhile; gives what is told how much of it is done.

    What is computed within may tell how far it is by `advance`.

    Parameters
    ----------
    total, noun : how much there is to do, and what that is; 0 where nothing is counted.
    """
    with showing() as shown:
        state = shown.state
        now = Now(name, state.clock())
        stage = Stage(name, total, noun, left=now.left)

        def advanced(done: int, of: int, what: str) -> None:
            with state.lock:
                now.advance(done, of, what, state.clock())
                stage.now = {name: now}

        def count_done(done: int) -> None:
            with state.lock:
                now.advance(done, total, noun, state.clock())
                stage.done = done

        state.begin(stage)
        shown.began([stage])
        try:
            with heard_by(advanced):
                yield count_done
        finally:
            state.end(stage)
            shown.ended([stage])


def counted(items: Iterable[Item], tell: Tell, before: int = 0) -> Iterator[Item]:
    """The items, while a step is told how many have passed, `before` these included."""
    for number, item in enumerate(items, start=before + 1):
        yield item
        tell(number)


def scored(score: Score) -> None:
    """Say how a cell did whose folds are all done."""
    shown = _SHOWING.get()
    if shown is not None:
        with shown.state.lock:
            shown.state.scores.append(score)
        say(score_text(score))


class _Silent:
    """Takes reports and shows nothing."""

    def began(self, batch: Batch) -> None:
        """See Report."""

    def ended(self, task: Task, outcomes: Outcomes) -> None:
        """See Report."""

    def heard(self, news: News) -> None:
        """See Report."""


@contextmanager
def silence(tasks: Sequence[Task], slots: int, store: Store) -> Iterator[Report]:
    """Show nothing."""
    yield _Silent()
