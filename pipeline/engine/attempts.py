"""What comes of a piece of work: done, or failed with its error."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import TypeVar

from pipeline.engine.news import at_work
from pipeline.engine.task import Batch, Done, Failed, Outcome, Task
from pipeline.store.files import full
from pipeline.store.manifest import Entry
from pipeline.store.store import Store

Part = TypeVar("Part")


def attempt(work: Callable[[], Entry]) -> Outcome:
    """The outcome of work that ends in the store.

    A failing component fails its own cells only: its error is kept, and nothing is stored.
    """
    try:
        entry = work()
    except Exception as error:
        return failure(error)
    return Done(entry.seconds, entry.reused)


def at_once_or_alone(
    parts: Sequence[Part],
    compute: Callable[[Sequence[Part]], dict[str, Outcome]],
    key: Callable[[Part], str],
) -> dict[str, Outcome]:
    """Outcomes by key of parts that are computed together; where that fails, of each by itself."""
    try:
        return compute(parts)
    except Exception as error:
        failed = failure(error)
        if len(parts) == 1:
            return {key(parts[0]): failed}
    outcomes: dict[str, Outcome] = {}
    for part in parts:
        outcomes |= at_once_or_alone([part], compute, key)
    return outcomes


def computed(batch: Batch, store: Store) -> dict[str, Outcome]:
    """Outcomes by key of tasks that are computed one after the other, here and now."""
    outcomes: dict[str, Outcome] = {}
    for task in batch:
        with at_work(task.keys[0]):
            outcomes |= _outcomes(task, store)
    return outcomes


def _outcomes(task: Task, store: Store) -> dict[str, Outcome]:
    try:
        return dict(task.compute(store))
    except Exception as error:
        return dict.fromkeys(task.keys, failure(error))


def failure(error: Exception) -> Failed:
    """An error that was caught, with where it came from.

    Raises
    ------
    NoRoom
        Where a disk is full: no other work could be kept either, and it is no fault of this one.
    """
    no_room = full(error)
    if no_room is not None:
        raise no_room
    return Failed(describe(error), "".join(traceback.format_exception(error)))


def describe(error: BaseException) -> str:
    """An error in one line: its class and message."""
    return f"{type(error).__name__}: {error}".strip().rstrip(":")
