"""All tasks of a run: what needs what, how much memory there is, progress and failure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

from pipeline.engine.limit import Limit
from pipeline.engine.news import heard
from pipeline.engine.progress import Progress
from pipeline.engine.task import (
    Batch,
    Done,
    Engine,
    Failed,
    NotReached,
    Outcome,
    Outcomes,
    Task,
    first_hindrance,
    is_frozen,
)
from pipeline.store.store import Store


def run_all(
    tasks: Sequence[Task],
    engine: Engine,
    store: Store,
    progress: Progress,
    known: Outcomes | None = None,
    limit: Limit | None = None,
) -> dict[str, Outcome]:
    """Compute tasks; the outcome of every entry by key.

    Tasks start in their order as soon as what they need is done and memory is there; where nothing
    else runs, one starts in any case. A task that fails is told with its error, and fails only what
    needs it: that has the first such error, with the name of what failed. What a limit no longer
    allows is not begun, what runs when its patience ends is left, and neither has failed: they are
    not reached, like all that needs them.

    Parameters
    ----------
    tasks : what they need and none of them puts into the store must be there.
    known : outcomes of what was computed before, which may have failed or not been reached.
    """
    if not tasks:
        return {}
    work = _Work(tasks, engine, known or {}, limit)
    ended = False
    with progress(tasks, engine.slots, store) as report, heard(report.heard):
        try:
            while work.waiting or work.running:
                work.leave_what_is_not_allowed()
                for task in work.fail_before_they_begin():
                    report.ended(task, work.outcomes_of(task))
                while (batch := work.next_batch()) is not None:
                    report.began(batch)
                    alone, patience = work.is_alone(batch), work.patience()
                    engine.submit(batch, store, alone=alone, may_be_left=patience is not None)
                if work.running:
                    for task in work.end(engine.finished(work.patience())):
                        report.ended(task, work.outcomes_of(task))
                elif work.waiting:
                    raise RuntimeError(f"tasks wait for each other: {work.waiting_text()}")
            ended = not work.has_left_some
        finally:
            engine.close(at_once=not ended)
    return work.outcomes


class _Work:
    """Which batches wait, which run, and what came of those that ended."""

    def __init__(
        self, tasks: Sequence[Task], engine: Engine, known: Outcomes, limit: Limit | None
    ) -> None:
        self.waiting = _batches(tasks)
        self.running: list[Batch] = []
        self.outcomes: dict[str, Outcome] = {}
        self.has_left_some = False  # of what was running
        self._limit = limit
        self._engine, self._known = engine, known
        self._keys = frozenset(chain.from_iterable(task.keys for task in tasks))
        self._is_single = len(self.waiting) == 1
        self._has_new_hindrances = not all(isinstance(outcome, Done) for outcome in known.values())

    def outcomes_of(self, task: Task) -> dict[str, Outcome]:
        """What came of a task that has ended, by key."""
        return {key: self.outcomes[key] for key in task.keys}

    def next_batch(self) -> Batch | None:
        """The first batch that may start now, which then runs; None where none may."""
        if len(self.running) >= self._engine.slots:
            return None
        for position, batch in enumerate(self.waiting):
            if self._is_ready(batch) and self._has_room(batch):
                self.running.append(self.waiting.pop(position))
                return batch
        return None

    def is_alone(self, batch: Batch) -> bool:
        """Whether nothing runs beside a batch, before or after: it needs no workers then."""
        return self._is_single or (self._engine.shares_cores and is_frozen(batch))

    def patience(self) -> float | None:
        """Seconds until what is running is left; None where all of it may end."""
        return None if self._limit is None else self._limit.patience()

    def leave_what_is_not_allowed(self) -> None:
        """Leave waiting batches that the limit no longer allows."""
        if self._limit is None:
            return
        waiting, self.waiting = self.waiting, []
        for batch in waiting:
            if self._limit.allows(batch):
                self.waiting.append(batch)
            else:
                self._leave([batch])

    def _leave(self, batches: Iterable[Batch]) -> None:
        for task in chain.from_iterable(batches):
            self.note(task, dict.fromkeys(task.keys, NotReached()))

    def fail_before_they_begin(self) -> list[Task]:
        """Fail waiting tasks of which something they need has failed, whatever their order.

        Those of which something is not reached are not reached either.
        """
        failed: list[Task] = []
        while self._has_new_hindrances:  # what has just failed may be what others need
            self._has_new_hindrances = False
            hindered = list(filter(self._is_hindered, chain.from_iterable(self.waiting)))
            failed += hindered
            gone = set(map(id, hindered))
            left = [[task for task in batch if id(task) not in gone] for batch in self.waiting]
            self.waiting = [batch for batch in left if batch]
        return [task for task in failed if isinstance(self.outcomes[task.keys[0]], Failed)]

    def _is_hindered(self, task: Task) -> bool:
        hindrance = self._hindrance(task)
        if hindrance is not None:
            self.note(task, dict.fromkeys(task.keys, hindrance))
        return hindrance is not None

    def waiting_text(self) -> str:
        """What the waiting tasks are called."""
        return ", ".join(task.label for task in chain.from_iterable(self.waiting))

    def end(self, ended: tuple[Batch, Outcomes] | None) -> Batch:
        """Note what came of a running batch; its tasks."""
        if ended is None:
            if self.patience() == 0:
                self.has_left_some = True
                self._leave(self.running)
                self.running = []
            return ()
        batch, outcomes = ended
        self.running.remove(batch)
        for task in batch:
            self.note(task, {key: outcomes[key] for key in task.keys})
            self._tell_limit(task)
        return batch

    def _tell_limit(self, task: Task) -> None:
        ended = [self.outcomes[key] for key in task.keys]
        new = [done.seconds for done in ended if isinstance(done, Done) and not done.reused]
        if self._limit is not None and new:
            self._limit.took(task, sum(new))

    def note(self, task: Task, outcomes: Outcomes) -> None:
        """Note the outcomes of a task; what failed first gives its name to the failure."""
        for key, outcome in outcomes.items():
            if not isinstance(outcome, Done):
                self._has_new_hindrances = True
            if isinstance(outcome, Failed):
                self.outcomes[key] = replace(outcome, label=outcome.label or task.label)
            else:
                self.outcomes[key] = outcome

    def _hindrance(self, task: Task) -> Failed | NotReached | None:
        first = first_hindrance(
            self.outcomes.get(key, self._known.get(key)) for key in task.needs
        )
        return first.passed_on() if isinstance(first, Failed) else first

    def _is_ready(self, batch: Batch) -> bool:
        needed = set(chain.from_iterable(task.needs for task in batch))
        return all(key in self.outcomes for key in needed & self._keys)

    def _has_room(self, batch: Batch) -> bool:
        if not self.running:
            return True
        if self._engine.shares_cores and any(map(is_frozen, [batch, *self.running])):
            return False
        return self._engine.has_room(self.running, batch)


def _batches(tasks: Sequence[Task]) -> list[Batch]:
    """Tasks that one process takes together, in the order of the first of each."""
    batches: dict[object, list[Task]] = {}
    for position, task in enumerate(tasks):
        name = position if task.together is None else (type(task), task.together)
        batches.setdefault(name, []).append(task)
    return list(batches.values())


def counts(outcomes: Iterable[Outcome]) -> str:
    """How many pieces of work were computed, and how many were there before."""
    done = [outcome for outcome in outcomes if isinstance(outcome, Done)]
    reused = sum(outcome.reused for outcome in done)
    return f"{len(done) - reused} computed, {reused} reused"
