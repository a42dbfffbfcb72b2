"""How far a run has come: its stages, what is being done now, and the scores of finished cells."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import RLock
from typing import Literal, NamedTuple, TypeAlias

Ending: TypeAlias = Literal["running", "done", "stopped", "failed"]


@dataclass
class Now:
    """A piece of work under way.

    Attributes
    ----------
    since : when it began, by the state's clock.
    done, total, noun : how far it has come, where it tells; see `features.advance`.
    first : when it first told, and how much was done then.
    """

    doing: str
    since: float
    done: int = 0
    total: int = 0
    noun: str = ""
    first: tuple[float, int] | None = None

    def advance(self, done: int, total: int, noun: str, now: float) -> None:
        """Take note of how far it has come."""
        if self.first is None or noun != self.noun or done < self.done:
            self.first = now, done
        self.done, self.total, self.noun = done, total, noun

    def left(self, now: float) -> float | None:
        """Seconds that it still takes, by what it has told so far; None before that says much."""
        if self.first is None:
            return None
        begun, before = self.first
        counted = self.done - before
        if counted <= 0 or now - begun < LEAST_SECONDS:
            return None
        return (now - begun) / counted * (self.total - self.done)


LEAST_SECONDS = 1.0  # in which something must have been counted before it says how long all takes


@dataclass(eq=False)
class Stage:
    """A part of a run: tasks of a kind, or a step that has none.

    Attributes
    ----------
    total : how much there is to do; 0 where nothing is counted.
    noun : what is counted, "samples"; "" for pieces of work.
    done : what has ended; `now` may have come further.
    begun, ended : by the state's clock; `begun` is None while it waits.
    partly : how much of the running work is done, in what the stage counts.
    left : seconds that it still takes, where there is ground to say so.
    is_of_tasks : whether it is one of tasks, not a step.
    has_parts : whether other stages began within it, which say more than it does.
    """

    name: str
    total: int = 0
    noun: str = ""
    done: int = 0
    begun: float | None = None
    ended: float | None = None
    now: dict[object, Now] = field(default_factory=dict)
    partly: Callable[[], int] = lambda: 0
    left: Callable[[float], float | None] = lambda now: None
    is_of_tasks: bool = False
    has_parts: bool = False

    @property
    def counted(self) -> int:
        """What is done, with what is partly done."""
        return min(self.total, self.done + self.partly()) if self.total else self.done

    def seconds(self, now: float) -> float:
        """Seconds that it has taken so far, or took."""
        if self.begun is None:
            return 0.0
        return (now if self.ended is None else self.ended) - self.begun

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.begun is not None and self.ended is None


class Score(NamedTuple):
    """The score of a cell on all its folds: their mean."""

    cell: str
    metric: str
    value: float
    folds: int
    greater_is_better: bool = True


class State:
    """How far a run has come. Whoever reads or changes it holds its lock.

    Attributes
    ----------
    name : of the run.
    started : when it began, in seconds since 1970.
    ending, exit, error : how it ended; its exit code, where it has one; and why it failed.
    failures : cells and folds that failed, of a run that has ended.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock, self.lock = clock, RLock()
        self.name, self.command = "", ""
        self.started, self.begun = time.time(), clock()
        self.stages: list[Stage] = []
        self.scores: list[Score] = []
        self.ending: Ending = "running"
        self.exit: int | None = None
        self.error = ""
        self.failures = 0

    def begin(self, stage: Stage) -> None:
        """A stage begins, within those that go on and count nothing."""
        with self.lock:
            for other in self.stages:
                if other.is_open and not other.total:
                    other.has_parts = True
            if stage not in self.stages:
                self.stages.append(stage)
            stage.begun = self.clock()

    def end(self, stage: Stage) -> None:
        """A stage ends; one that never began is no part of the run."""
        with self.lock:
            stage.now.clear()
            if stage.begun is None:
                self.stages = [other for other in self.stages if other is not stage]
            else:
                stage.ended = self.clock()

    def open_stages(self) -> list[Stage]:
        """The stages that go on, without those whose parts do."""
        going = [stage for stage in self.stages if stage.is_open]
        return [stage for stage in going if stage is going[-1] or not stage.has_parts]

    def failed(self, error: BaseException) -> None:
        """Note why the run cannot go on."""
        with self.lock:
            if isinstance(error, KeyboardInterrupt):
                self.ending = "stopped"
            else:
                self.ending, self.error = "failed", f"{error}" or type(error).__name__
