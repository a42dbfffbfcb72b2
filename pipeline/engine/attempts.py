"""What came of a piece of work: done, or failed with its error."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.store.manifest import Entry


@dataclass(frozen=True)
class Failed:
    """What went wrong with a piece of work."""

    error: str
    traceback: str


@dataclass(frozen=True, eq=False)
class Done:
    """A piece of work that is in the store: what it cost, and whether it was there before."""

    seconds: float
    reused: bool


def failure_of(work: Callable[[], None]) -> Failed | None:
    """Do a piece of work; a failing component fails its own cells only: its error is kept, nothing is stored."""
    try:
        work()
    except Exception as error:
        return Failed(describe(error), traceback.format_exc())
    return None


def attempt(work: Callable[[], Entry]) -> Done | Failed:
    """What came of a piece of work that ends in the store; its failure is kept."""
    done: list[Entry] = []
    failed = failure_of(lambda: done.append(work()))
    return failed or Done(done[0].seconds, done[0].reused)


def describe(error: BaseException) -> str:
    """An error in one line: its class and message."""
    return f"{type(error).__name__}: {error}".strip().rstrip(":")
