"""Progress with remaining time: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

LINES = 10  # plain lines a stage prints at most, besides its first and last


class Report(Protocol):
    """What is told of work while it goes on."""

    def began(self, stage: str) -> None:
        """A piece of work of a stage has begun."""

    def ended(self, stage: str, label: str, count: int) -> None:
        """`count` pieces of work of a stage have ended."""


# The pieces of work of each stage -> what takes their reports.
Progress: TypeAlias = Callable[[Mapping[str, int]], AbstractContextManager[Report]]


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


@contextmanager
def progress(totals: Mapping[str, int], suffix: str = "") -> Iterator[Report]:
    """Show how far each stage has come; `suffix` is added to the stages' names."""
    if _QUIET.get():
        yield _Lines({})
    elif totals and sys.stderr.isatty():
        with _bars(totals, suffix) as report:
            yield report
    else:
        yield _Lines({stage: _Stage(stage + suffix, total) for stage, total in totals.items()})


@contextmanager
def silence(totals: Mapping[str, int]) -> Iterator[Report]:
    """Show nothing."""
    yield _Lines({})


@dataclass
class _Bars:
    bars: Any
    tasks: Mapping[str, Any]

    def began(self, stage: str) -> None:
        self.bars.start_task(self.tasks[stage])

    def ended(self, stage: str, label: str, count: int) -> None:
        self.bars.update(self.tasks[stage], advance=count, description=label)


@contextmanager
def _bars(totals: Mapping[str, int], suffix: str) -> Iterator[Report]:
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.TextColumn("{task.fields[stage]:12}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
        rich.TextColumn("left"),
        rich.TimeRemainingColumn(),
        rich.TextColumn("[dim]{task.description}"),
    )
    with rich.Progress(*columns, console=Console(stderr=True)) as bars:
        yield _Bars(bars, {
            stage: bars.add_task("", total=total, start=False, stage=stage + suffix)
            for stage, total in totals.items()
        })


@dataclass
class _Stage:
    """How far a stage has come."""

    title: str
    total: int
    done: int = 0
    printed: int = 0
    since: float | None = None

    def begin(self) -> None:
        if self.since is None:
            self.since = time.monotonic()
            say(f"{self.title}: {self.total} to do")

    def advance(self, label: str, count: int) -> None:
        self.begin()
        self.done += count
        if self.done * LINES // self.total > self.printed or self.done == self.total:
            self.printed = self.done * LINES // self.total
            spent = time.monotonic() - (self.since or 0.0)
            left = spent / self.done * (self.total - self.done)
            say(
                f"{self.title}: {self.done}/{self.total}, {spent:.0f} s, {left:.0f} s left "
                f"({label})"
            )


@dataclass
class _Lines:
    stages: Mapping[str, _Stage] = field(default_factory=dict)

    def began(self, stage: str) -> None:
        if stage in self.stages:
            self.stages[stage].begin()

    def ended(self, stage: str, label: str, count: int) -> None:
        if stage in self.stages:
            self.stages[stage].advance(label, count)
