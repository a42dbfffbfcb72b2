"""Tasks as stages of a run: what runs of them, how far it has come, how long the rest takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pipeline.engine.news import News
from pipeline.engine.showing.state import Now, Stage, State
from pipeline.engine.showing.times import Times
from pipeline.engine.task import Batch, Outcomes, Task

LATE, LATE_SECONDS = 2, 5.0  # times longer, and by so much, than what was expected


class _Running:
    """A batch: the task that it is at, and how much of it is behind that."""

    def __init__(self, batch: Batch, now: Now) -> None:
        self.tasks = {task.keys[0]: task for task in batch}
        self.task, self.now = batch[0], now
        self.behind = 0

    @property
    def partly(self) -> int:
        """What is done of it, in what its stage counts."""
        now, task = self.now, self.task
        is_part = task.counted and now.total == round(task.work)
        return self.behind + (now.done if is_part else 0)


class TaskStages:
    """Shows tasks while they are computed; a stage for each kind of them.

    Parameters
    ----------
    slots : how many are computed side by side.
    suffix : added to the stages' names.
    """

    def __init__(
        self, state: State, tasks: Sequence[Task], slots: int, times: Times, suffix: str = ""
    ) -> None:
        self._state, self._slots, self._times = state, max(1, slots), times
        self.stages: dict[str, Stage] = {}
        self._running: dict[str, _Running] = {}  # by the first key of each of its tasks
        # work to do of each stage, of those alike that run alone or side by side
        self._to_do: dict[str, dict[tuple[str, bool], float]] = {}
        self._tasks: dict[str, int] = defaultdict(int)  # to do, by stage
        for task in tasks:
            stage = self.stages.setdefault(task.stage, self._stage(task, suffix))
            stage.total += amount(task)
            to_do = self._to_do.setdefault(task.stage, defaultdict(float))
            to_do[task.like, task.all_cores] += task.work
            self._tasks[task.stage] += 1

    def _stage(self, task: Task, suffix: str) -> Stage:
        name = task.stage
        return Stage(
            name + suffix,
            noun=task.counted,
            is_of_tasks=True,
            partly=lambda: self._partly(name),
            left=lambda now: self.left(name, now),
        )

    # What run_all reports

    def began(self, batch: Batch) -> list[Stage]:
        """A batch begins; the stage that begins with it, if any."""
        with self._state.lock:
            stage, first = self.stages[batch[0].stage], batch[0].keys[0]
            now = Now(batch[0].doing, self._state.clock())
            running = _Running(batch, now)
            self._running |= dict.fromkeys(running.tasks, running)
            begins = stage.begun is None
            if begins:
                self._state.begin(stage)
            stage.now[first] = now
            return [stage] if begins else []

    def ended(self, task: Task, outcomes: Outcomes) -> list[Stage]:
        """A task has ended, or failed before it began; the stage that ends with it, if any."""
        with self._state.lock:
            stage = self.stages[task.stage]
            if stage.begun is None:
                self._state.begin(stage)
            self._forget(stage, task)
            self._times.took(task, outcomes)
            self._to_do[task.stage][task.like, task.all_cores] -= task.work
            self._tasks[task.stage] -= 1
            stage.done += amount(task)
            if self._tasks[task.stage]:
                return []
            self._state.end(stage)
            return [stage]

    def _forget(self, stage: Stage, task: Task) -> None:
        running = self._running.pop(task.keys[0], None)
        if running is not None:
            running.behind = max(0, running.behind - amount(task))
            stage.now.pop(next(iter(running.tasks)), None)

    def heard(self, news: News) -> None:
        """A running task has come so far; or another one of its batch begins."""
        with self._state.lock:
            running = self._running.get(news.key)
            if running is None:
                return  # it has ended
            task, now = running.tasks[news.key], self._state.clock()
            if task is not running.task:
                running.behind += amount(running.task)
                running.task = task
                fresh = Now(task.doing, now)
                vars(running.now).update(vars(fresh))
            if news.total:
                running.now.advance(news.done, news.total, news.noun, now)

    def close(self) -> list[Stage]:
        """End what goes on; the stages that had begun and end now."""
        with self._state.lock:
            going = [stage for stage in self.stages.values() if stage.is_open]
            for stage in going:
                self._state.end(stage)
            return going

    # How far it is

    def _batches(self, name: str) -> list[_Running]:
        distinct = {id(running): running for running in self._running.values()}
        return [running for running in distinct.values() if running.task.stage == name]

    def _partly(self, name: str) -> int:
        return sum(running.partly for running in self._batches(name))

    def left(self, name: str, now: float) -> float | None:
        """Seconds that a stage still takes; None while a kind of its tasks is not known."""
        alone = shared = 0.0
        for (like, all_cores), work in self._to_do[name].items():
            if work <= 0:
                continue
            rate = self._rate(name, like, now)
            if rate is None:
                return None
            alone, shared = alone + all_cores * rate * work, shared + (not all_cores) * rate * work
        for running in self._batches(name):
            seconds = self._spent(running, now)
            if seconds is None:
                return None
            alone -= seconds if running.task.all_cores else 0.0
            shared -= 0.0 if running.task.all_cores else seconds
        slots = min(self._slots, max(1, self._tasks[name]))
        return max(0.0, alone) + max(0.0, shared) / slots

    def _rate(self, name: str, like: str, now: float) -> float | None:
        rate = self._times.rate(like)
        if rate is not None:
            return rate
        for running in self._batches(name):  # what runs may tell by itself how fast it is
            current = running.now
            if running.task.like == like and running.task.counted and current.done:
                left = current.left(now)
                if left is not None and current.total > current.done:
                    return left / (current.total - current.done)
        return None

    def _spent(self, running: _Running, now: float) -> float | None:
        """Seconds of the expected ones that need not be waited for any more.

        None where it takes so much longer that what was expected is refuted.
        """
        rate = self._times.rate(running.task.like)
        current = running.now
        if running.task.counted and current.total == round(running.task.work):
            rate = self._rate(running.task.stage, running.task.like, now)
            return (rate or 0.0) * current.done
        expected, spent = (rate or 0.0) * running.task.work, now - current.since
        if spent > max(LATE * expected, expected + LATE_SECONDS):
            return None
        return min(spent, expected)


def amount(task: Task) -> int:
    """How much a task is of what its stage counts."""
    return round(task.work) if task.counted else 1
