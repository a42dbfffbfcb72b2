"""Batches on their way to another process, which is made ready for them before they are read."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pipeline.engine.task import Batch, EngineError

# Makes a process ready, as often as it is asked; gives what decides results there, by name.
Preparation: TypeAlias = Callable[[], Mapping[str, str]]


@dataclass(frozen=True)
class Sent:
    """A batch as it travels.

    Parameters
    ----------
    prepare : what the process must do first: the batch may hold classes of modules that only this
        makes importable there. None for nothing.
    pickled : the batch.
    """

    prepare: Preparation | None
    pickled: bytes

    def read(self) -> Batch:
        """The batch, in the process that computes it.

        Raises
        ------
        EngineError
            Where the process cannot be made ready, with the reason.
        """
        if self.prepare is not None:
            try:
                self.prepare()
            except Exception as error:
                raise EngineError(f"a worker cannot take part: {error}") from error
        batch: Batch = pickle.loads(self.pickled)
        return batch


def sent(batch: Batch, prepare: Preparation | None) -> Sent:
    """A batch, ready to be sent."""
    return Sent(prepare, pickle.dumps(batch))
