"""Contracts of work: what a task is, what came of it, and what computes tasks."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, TypeAlias

from pipeline.store.store import Store


@dataclass(frozen=True)
class Failed:
    """What went wrong with a piece of work, and what that is called."""

    error: str
    traceback: str
    label: str = ""

    def passed_on(self) -> Failed:
        """As everything has it that needs the piece: the error then says what failed first."""
        name = f"{self.label}: "
        return self if self.error.startswith(name) else replace(self, error=name + self.error)


@dataclass(frozen=True, eq=False)
class Done:
    """A piece of work that is in the store: what it cost, and whether it was there before.

    An engine of several machines adds where it was computed.
    """

    seconds: float
    reused: bool
    where: str = ""


@dataclass(frozen=True)
class NotReached:
    """A piece of work that a limit left: not begun, or not ended. It is no failure."""


Outcome: TypeAlias = Done | Failed | NotReached
Outcomes: TypeAlias = Mapping[str, Outcome]


def first_hindrance(outcomes: Iterable[Outcome | None]) -> Failed | NotReached | None:
    """Why what needs some pieces of work cannot begin: a failure goes before what was left."""
    known = list(outcomes)
    failed = (outcome for outcome in known if isinstance(outcome, Failed))
    left = (outcome for outcome in known if isinstance(outcome, NotReached))
    return next(failed, None) or next(left, None)


class Task(Protocol):
    """A piece of work that puts entries into the store.

    What it needs travels with it as keys of the store or as small values, never as arrays: so it
    can be computed wherever the store can be reached. A new kind of work is a new Task; nothing
    else starts processes.

    Attributes
    ----------
    stage : what progress calls tasks of its kind.
    keys : of the entries that it is for; several where they come from one pass.
    needs : keys of entries that other tasks compute before it.
    label : what it is called while it runs.
    memory : bytes that its process needs at the peak.
    together : tasks with an equal value share what they prepare: one process takes them, one after
        the other. None: it shares nothing.
    all_cores : whether it keeps all cores of its machine busy by itself, and so runs alone there.
    doing : what is said of it while it runs: what is done, to which samples or rows.
    like : tasks with an equal value take about equally long for each unit of their work.
    work : how much it is, in units that only those like it share.
    counted : what progress counts of its stage: "samples", as many as its work is; "" for tasks.
    """

    stage: ClassVar[str]
    counted: ClassVar[str]

    @property
    def keys(self) -> Sequence[str]:
        """See the class."""

    @property
    def needs(self) -> Sequence[str]:
        """See the class."""

    @property
    def label(self) -> str:
        """See the class."""

    @property
    def memory(self) -> float:
        """See the class."""

    @property
    def together(self) -> Hashable:
        """See the class."""

    @property
    def all_cores(self) -> bool:
        """See the class."""

    @property
    def doing(self) -> str:
        """See the class."""

    @property
    def like(self) -> str:
        """See the class."""

    @property
    def work(self) -> float:
        """See the class."""

    def compute(self, store: Store) -> Outcomes:
        """Put its entries into the store; the outcome of each by key. An error fails them all."""


class _Named(Protocol):
    """A task that has a label; it may be an attribute or a property."""

    stage: ClassVar[str]

    @property
    def label(self) -> str:
        """See Task."""


class Shown:
    """What progress knows of a task that says no more of itself than its label."""

    counted: ClassVar[str] = ""

    @property
    def doing(self: _Named) -> str:
        """See Task."""
        return self.label

    @property
    def like(self: _Named) -> str:
        """See Task."""
        return f"{self.stage}: {self.label}"

    @property
    def work(self) -> float:
        """See Task."""
        return 1.0


Batch: TypeAlias = Sequence[Task]


def memory_of(batch: Batch) -> float:
    """Bytes that the process of a batch needs at the peak."""
    return max(task.memory for task in batch)


def is_frozen(batch: Batch) -> bool:
    """Whether a task of a batch keeps all cores busy, as frozen encoders do."""
    return any(task.all_cores for task in batch)


class EngineError(Exception):
    """Why an engine cannot begin, in words for whoever started the run."""


class NoWorkers(BrokenExecutor):
    """An engine of several machines has no worker left."""


class Engine(Protocol):
    """Computes tasks somewhere. It knows nothing of what they are, nor which need which.

    It may be closed and take tasks again, any number of times, until it is shut down.

    Attributes
    ----------
    slots : batches that it computes side by side.
    memory : bytes that these may take together.
    shares_cores : whether all slots have the same cores: a task that keeps all cores busy then runs
        alone.
    """

    shares_cores: ClassVar[bool]

    @property
    def slots(self) -> int:
        """See the class."""

    @property
    def memory(self) -> float:
        """See the class."""

    def side_by_side(self, need: float) -> int:
        """Batches of `need` bytes each that have memory at once; 0 where not even a single one."""

    def has_room(self, running: Sequence[Batch], batch: Batch) -> bool:
        """Whether there is memory for a batch beside those that are running."""

    def submit(
        self, batch: Batch, store: Store, *, alone: bool, may_be_left: bool = False
    ) -> None:
        """Take tasks that one process computes in a row.

        `alone` says that none runs beside them: they keep all cores busy, or are all there is.
        `may_be_left` says that they may have to be ended while they run.

        Raises
        ------
        EngineError
            Where tasks of this store cannot be computed.
        """

    def finished(self, patience: float | None = None) -> tuple[Batch, Outcomes] | None:
        """Wait for a batch that ends; it and the outcomes of all its keys.

        None where there came room for another one while it waited, or none ended in `patience`
        seconds.

        Raises
        ------
        concurrent.futures.BrokenExecutor
            Where the engine cannot go on, because a process died.
        """

    def close(self, *, at_once: bool = False) -> None:
        """End the tasks at hand. `at_once`: leave what is still running."""

    def shutdown(self) -> None:
        """End what stays for the next tasks after a close."""
