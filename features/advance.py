"""How far a long computation has come: told to whoever listens, and to nobody where nobody does.

What computes knows nothing of who shows it, nor of the process that it runs in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

Listener: TypeAlias = Callable[[int, int, str], object]

_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


def advance(done: int, total: int, noun: str) -> None:
    """Tell that so much is done of all there is.

    Parameters
    ----------
    noun : what is counted, as it stands behind "3 of 20": "samples", "epochs at most".
    """
    listener = _LISTENER.get()
    if listener is not None:
        listener(done, total, noun)


@contextmanager
def heard_by(listener: Listener | None) -> Iterator[None]:
    """Have what this thread computes meanwhile told to a listener; None for nobody."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)
