"""Tasks in the workers of a dask cluster, here or on other machines."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from math import inf
from typing import Any, ClassVar

from pipeline.engine.attempts import computed, failure
from pipeline.engine.cluster import Cluster, require_dask
from pipeline.engine.memory import free, side_by_side_at_most
from pipeline.engine.processes import threads
from pipeline.engine.sending import Preparation, Sent, sent
from pipeline.engine.stopping import sweep
from pipeline.engine.task import (
    Batch,
    Done,
    EngineError,
    Failed,
    NoWorkers,
    Outcome,
    Outcomes,
    is_frozen,
    memory_of,
)
from pipeline.engine.workers import Worker
from pipeline.store.opening import store_at
from pipeline.store.store import Store

LOST = 3  # times that a batch takes its worker with it before it is given up
POLL = 0.5  # seconds between two looks at which workers there are
PATIENCE = 60.0  # seconds that a cluster without workers is given to start some
ANSWER = 10.0  # seconds in which a worker that has outcomes gives them


@dataclass(eq=False)
class _Job:
    """A batch on its way: the worker that has it, and how many died of it or while they had it."""

    batch: Batch
    store: Store
    worker: Worker | None = None
    future: Any = None
    losses: int = 0


class Dask:
    """An engine of the workers of a dask cluster, each of which has one batch at a time.

    It says itself which worker takes what: frozen encoders go to workers with a GPU first, all else
    to those without one. A worker that dies loses the batch that it has, and that goes to another.
    Tasks compute in one thread, as in `Processes`, but for frozen encoders, which use the threads
    that their worker was given.

    Parameters
    ----------
    slots : workers that are started on this machine, where there is no address.
    address : of a scheduler, such as tcp://host:8786.
    packages : whose versions workers must have as they are here.
    patience : seconds that a cluster without workers is given to start some.
    prepare : what a worker does before it takes part, and before it reads what it is to compute.

    Raises
    ------
    EngineError
        Without the packages of dask; without a scheduler at the address; or with workers there that
        have other versions.
    """

    shares_cores: ClassVar[bool] = False

    def __init__(
        self,
        slots: int,
        address: str | None = None,
        packages: Sequence[str] = (),
        patience: float = PATIENCE,
        prepare: Preparation | None = None,
    ) -> None:
        require_dask()
        sweep()
        self._slots, self._address, self._packages = slots, address, packages
        self._patience, self._prepare = patience, prepare
        self._cluster: Cluster | None = None
        self._waiting: deque[_Job] = deque()
        self._running: list[_Job] = []
        self._ended: deque[tuple[Batch, Outcomes]] = deque()
        self._news = threading.Event()  # a future has come to an end
        self._store: Store | None = None  # the one that tasks were last submitted for
        self._looked = 0.0
        self._free_memory: float | None = None
        if address:
            try:
                self._look()
            except BaseException:
                self.shutdown()
                raise

    # What run_all asks

    @property
    def slots(self) -> int:
        """See Engine."""
        return self._slots if self._cluster is None else max(1, len(self._workers()))

    @property
    def memory(self) -> float:
        """See Engine."""
        if self._address:
            return sum(worker.memory for worker in self._workers())
        if self._free_memory is None:
            self._free_memory = free()
        return self._free_memory

    def side_by_side(self, need: float) -> int:
        """See Engine. A worker at an address has memory of its own."""
        if self._address:
            return sum(worker.memory >= need for worker in self._workers())
        return side_by_side_at_most(need, self.memory, self.slots)

    def has_room(self, running: Sequence[Batch], batch: Batch) -> bool:
        """See Engine."""
        if self._address:
            return any(worker.memory >= memory_of(batch) for worker in self._idle())
        return sum(map(memory_of, [*running, batch])) <= self.memory

    def submit(
        self, batch: Batch, store: Store, *, alone: bool, may_be_left: bool = False
    ) -> None:
        """See Engine. What runs alone goes to a worker, too: one may have a GPU."""
        if store is not self._store:
            self._store, self._looked = store, 0.0
        self._look_again()
        self._waiting.append(_Job(batch, store))
        self._hand_out()

    def finished(self, patience: float | None = None) -> tuple[Batch, Outcomes] | None:
        """See Engine."""
        until = inf if patience is None else time.monotonic() + patience
        while not self._ended:
            self._news.wait(min(POLL, max(0.0, until - time.monotonic())))
            self._news.clear()
            self._collect()
            before = len(self._idle())
            self._look_again()
            self._hand_out()
            has_room = len(self._idle()) > before
            if not self._ended and (has_room or time.monotonic() >= until):
                return None
        return self._ended.popleft()

    def close(self, *, at_once: bool = False) -> None:
        """See Engine. The connection and the workers stay for the next tasks."""
        futures = [job.future for job in self._running]
        self._waiting.clear()
        self._running.clear()
        self._ended.clear()
        self._free_memory = None
        if at_once and self._cluster is not None:
            self._cluster.cancel(futures)
            if not self._address:
                self._shut(at_once=True)

    def shutdown(self) -> None:
        """See Engine."""
        self.close(at_once=bool(self._running))
        self._shut(at_once=False)

    def _shut(self, *, at_once: bool) -> None:
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            cluster.close(at_once=at_once)

    # Workers

    def _workers(self) -> list[Worker]:
        return [] if self._cluster is None else list(self._cluster.workers.values())

    def _idle(self) -> list[Worker]:
        busy = {job.worker.address for job in self._running if job.worker is not None}
        return [worker for worker in self._active() if worker.address not in busy]

    def _active(self) -> list[Worker]:
        """Workers that take new batches, at once or after the one that they have."""
        resting = self._cluster.resting if self._cluster is not None else set[str]()
        return [worker for worker in self._workers() if worker.address not in resting]

    def _look_again(self) -> None:
        if time.monotonic() - self._looked > POLL:
            self._look()

    def _look(self) -> None:
        """Look which workers there are, and wait for some where nothing could go on without.

        The cluster is opened first, where it is not. Batches of workers that have gone wait again.
        """
        if self._cluster is None:
            self._cluster = Cluster(self._slots, self._address, self._packages, self._prepare)
        until = time.monotonic() + self._patience
        while True:
            self._cluster.update(self._store)
            self._take_back()
            if self._running or self._ended or self._idle():
                break
            if time.monotonic() > until:
                raise NoWorkers(
                    f"no worker is free at the dask scheduler {self._cluster.address}: start some "
                    f"with `dask worker {self._cluster.address}`"
                )
            time.sleep(POLL)
        self._looked = time.monotonic()

    # Batches

    def _hand_out(self) -> None:
        """Give waiting batches to idle workers."""
        for job in list(self._waiting):
            worker = self._chosen(job.batch)
            if worker is not None and self._cluster is not None:
                self._waiting.remove(job)
                self._running.append(job)
                job.worker = worker
                used = worker.threads if is_frozen(job.batch) else 1
                travelling = sent(job.batch, self._prepare)
                job.future = self._cluster.submit(
                    worker, _computed_in_worker, travelling, job.store.address, used
                )
                job.future.add_done_callback(lambda _: self._news.set())

    def _chosen(self, batch: Batch) -> Worker | None:
        """The idle worker that a batch goes to; None where it must wait.

        One that no worker has memory for goes to the largest: it may need less than it says.
        """
        need, frozen = memory_of(batch), is_frozen(batch)
        most = max((worker.memory for worker in self._active()), default=0.0)
        fitting = [worker for worker in self._idle() if worker.memory >= min(need, most)]
        if frozen:
            order = sorted(fitting, key=lambda worker: (not worker.has_gpu, -worker.threads))
        else:
            order = sorted(fitting, key=lambda worker: (worker.has_gpu, worker.memory))
        return order[0] if order else None

    def _collect(self) -> None:
        """Take the outcomes of the futures that came to an end."""
        for job in [job for job in self._running if job.future.done()]:
            try:
                outcomes: Outcomes = job.future.result(timeout=ANSWER)
            except TimeoutError:
                continue  # its worker may have gone: the next look tells
            except Exception as error:
                if isinstance(error, EngineError):
                    raise
                if _is_loss(error):
                    self._lose(job)
                    continue
                outcomes = _all_failed(job.batch, failure(error))
            self._end(job, _from(outcomes, job.worker.label if job.worker else ""))

    def _take_back(self) -> None:
        """Take batches back from workers that are no longer there."""
        there = {worker.address for worker in self._workers()}
        for job in list(self._running):
            if job.worker is not None and job.worker.address not in there:
                self._lose(job)

    def _lose(self, job: _Job) -> None:
        if self._cluster is not None:
            self._cluster.cancel([job.future])
        job.losses += 1
        if job.losses >= LOST:
            self._end(job, _all_failed(job.batch, _died(job)))
        else:
            self._running.remove(job)
            self._waiting.append(job)

    def _end(self, job: _Job, outcomes: Outcomes) -> None:
        self._running.remove(job)
        self._ended.append((job.batch, outcomes))


def _is_loss(error: Exception) -> bool:
    """Whether a future ended in this because its worker did, or nobody knows it any more."""
    from distributed import KilledWorker

    return isinstance(error, KilledWorker | CancelledError)


def _died(job: _Job) -> Failed:
    names = ", ".join(dict.fromkeys(task.label for task in job.batch))
    last = job.worker.label if job.worker else "?"
    error = (
        f"the worker that computed {names} died {job.losses} times, the last time {last}; it may "
        "want more memory"
    )
    return Failed(error, error)


def _all_failed(batch: Batch, failed: Failed) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    for task in batch:
        outcomes |= dict.fromkeys(task.keys, failed)
    return outcomes


def _from(outcomes: Outcomes, label: str) -> dict[str, Outcome]:
    """Outcomes that say where they were computed."""
    return {
        key: replace(outcome, where=label) if isinstance(outcome, Done) else outcome
        for key, outcome in outcomes.items()
    }


_TURN = threading.Lock()  # threads are set for a process, which may serve several runs


def _computed_in_worker(travelled: Sent, address: str, used: int) -> dict[str, Outcome]:
    with _TURN, threads(used):
        return computed(travelled.read(), store_at(address))


