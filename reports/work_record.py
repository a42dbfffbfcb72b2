"""What a run did, and how long it took, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class StepRecord:
    """A step of the run and its seconds on the clock; one follows the other."""

    name: str
    seconds: float


@dataclass(frozen=True)
class StageRecord:
    """Work and reuse of an encoder, a fusion or a rule.

    `seconds` is what this run's processes spent on it. They work side by side: the seconds
    of all stages may be more than the run took. `saved_seconds` is what computing the reused part
    cost when it was computed.
    """

    name: str
    seconds: float
    computed: int = 0
    reused: int = 0
    saved_seconds: float = 0.0

    @property
    def cost_seconds(self) -> float:
        """What all of it took when it was computed, in this run or an earlier one."""
        return self.seconds + self.saved_seconds


@dataclass(frozen=True)
class EncodedRecord:
    """What an encoder met in the distinct samples: words unknown, texts cut off, and the like.

    An encoder that learns met it once for each outer fold; `counts` are then the means.
    """

    encoder: str
    samples: int
    counts: Mapping[str, float]


@dataclass(frozen=True)
class WorkerRecord:
    """Pieces of work that a worker of a cluster did, and their seconds; `name` has its machine."""

    name: str
    computed: int
    seconds: float


@dataclass(frozen=True, eq=False, kw_only=True)
class WorkRecord:
    """What a run did, and how long it took.

    Parameters
    ----------
    steps : wall-clock seconds of the run's steps, in order.
    stages : work and reuse of each encoder, fusion and rule that learns.
    encoded : what encoders met, for those that count it.
    workers : what workers of a cluster did; empty where all was computed on this machine.
    machines : what was computed on, in words, now or in an earlier run; empty where nobody knows.
    """

    steps: tuple[StepRecord, ...]
    stages: tuple[StageRecord, ...]
    encoded: tuple[EncodedRecord, ...] = ()
    workers: tuple[WorkerRecord, ...] = ()
    machines: tuple[str, ...] = ()
