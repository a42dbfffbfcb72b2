"""What is told of tasks while they run, in this process and from its workers.

A worker writes short messages into one pipe that all workers of an engine share: whole or not at
all, and it never waits. A message that finds the pipe full is lost, and one more recent says more.
Workers of a dask cluster tell nothing: what is shown of them is what runs there, and since when.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from multiprocessing.connection import Connection, Pipe
from typing import NamedTuple, TypeAlias

from features.advance import heard_by

SELDOM = 0.2  # seconds between two messages of a task
LONGEST = 512  # bytes of a message; up to 4096 a pipe takes whole or not at all (PIPE_BUF)


class News(NamedTuple):
    """How far a task has come.

    Parameters
    ----------
    key : the first of the task's keys.
    done, total, noun : see `features.advance.advance`; a total of 0 says that it begins.
    """

    key: str
    done: int = 0
    total: int = 0
    noun: str = ""


Hear: TypeAlias = Callable[[News], object]

_HEAR: ContextVar[Hear | None] = ContextVar("hear", default=None)


def hears() -> Hear | None:
    """Who hears of the tasks of this thread."""
    return _HEAR.get()


@contextmanager
def heard(hear: Hear | None) -> Iterator[None]:
    """Have news of tasks that this thread computes meanwhile told; None tells nobody."""
    token = _HEAR.set(hear)
    try:
        yield
    finally:
        _HEAR.reset(token)


@contextmanager
def at_work(key: str) -> Iterator[None]:
    """Tell that the task of a key begins, and meanwhile how far it has come."""
    hear = _HEAR.get()
    if hear is None:
        yield
        return
    hear(News(key))
    last = time.monotonic()

    def advanced(done: int, total: int, noun: str) -> None:
        nonlocal last
        if time.monotonic() - last >= SELDOM:
            last = time.monotonic()
            hear(News(key, done, total, noun))

    with heard_by(advanced):
        yield


class Channel:
    """What workers tell this process; they are given `worker_end` when they start.

    Attributes
    ----------
    hear : who hears it; it may change.
    """

    def __init__(self) -> None:
        self.hear: Hear | None = None
        self._reader, self._writer = Pipe(duplex=False)
        if os.name == "posix":
            os.set_blocking(self._writer.fileno(), False)
        threading.Thread(target=self._listen, daemon=True, name="news of tasks").start()

    @property
    def worker_end(self) -> Connection | None:
        """What workers write to; None where the system has no pipe that never makes them wait."""
        return self._writer if os.name == "posix" else None

    def _listen(self) -> None:
        with suppress(EOFError, OSError):  # all workers have ended, and this process is through
            while True:
                news = read(self._reader.recv_bytes(LONGEST))
                hear = self.hear
                if news is not None and hear is not None:
                    hear(news)
        self._reader.close()

    def close(self) -> None:
        """Listen no more, as soon as the last worker has ended."""
        self._writer.close()


def teller(end: Connection | None) -> Hear | None:
    """What sends news from a worker."""
    if end is None:
        return None

    def tell(news: News) -> None:
        message = json.dumps(news, ensure_ascii=True).encode()
        if len(message) < LONGEST:
            with suppress(OSError):  # it is full, or nobody listens any more
                end.send_bytes(message)

    return tell


def read(message: bytes) -> News | None:
    """The news in a message; None where it is none."""
    try:
        key, done, total, noun = json.loads(message)
    except (ValueError, TypeError):
        return None
    if isinstance(done, int) and isinstance(total, int):
        return News(str(key), done, total, str(noun))
    return None
