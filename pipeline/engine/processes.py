"""Tasks in worker processes of this machine, each computing in one thread."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from multiprocessing.connection import Connection
from typing import Any, ClassVar

from threadpoolctl import threadpool_limits

from features.machine.cores import cores
from pipeline.engine.attempts import computed
from pipeline.engine.memory import free, side_by_side_at_most
from pipeline.engine.news import Channel, Hear, heard, hears, teller
from pipeline.engine.sending import Preparation, Sent, sent
from pipeline.engine.stopping import begin_worker, shielding_children, sweep
from pipeline.engine.task import Batch, Outcome, Outcomes, is_frozen, memory_of
from pipeline.store.opening import store_at
from pipeline.store.store import Store

IDLE = 60  # seconds after which a worker that has nothing to do ends
# Bytes that a worker may grow by before loky ends it and starts another, which imports all anew and
# has kept nothing (models/kept.py): by loky's 300 MB, those of a default grid ended in the middle
# of a fold. Libraries that a later task imports take as much, and what is kept 512 MB.
GROWTH, LEAST_GROWTH = 2**31, 3 * 10**8
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Processes:
    """An engine of `slots` worker processes; with one slot all is computed in this process.

    Every task computes in one thread whatever the number of workers: sums are then taken in the
    same order, so that 1 and 2 workers give the same bits, and workers never crowd each other's
    cores. A task that keeps all cores busy runs in this process.

    Parameters
    ----------
    slots : processes side by side.
    memory : bytes that they may take together; by default what is free when it is first asked for.
    prepare : what a worker does before it reads what it is to compute.
    """

    shares_cores: ClassVar[bool] = True

    def __init__(
        self, slots: int, memory: float | None = None, prepare: Preparation | None = None
    ) -> None:
        self._slots, self._given_memory, self._prepare = slots, memory, prepare
        self._free_memory: float | None = None
        self._running: dict[Future[dict[str, Outcome]], Batch] = {}
        self._ended: deque[tuple[Batch, Outcomes]] = deque()
        self._executor: Any = None
        self._channel: Channel | None = None  # of the executor's workers
        sweep()  # also where no worker will start: all may be stored since the run that was killed

    @property
    def slots(self) -> int:
        """See Engine."""
        return self._slots

    @property
    def memory(self) -> float:
        """See Engine."""
        if self._given_memory is not None:
            return self._given_memory
        if self._free_memory is None:
            self._free_memory = free()
        return self._free_memory

    def side_by_side(self, need: float) -> int:
        """See Engine."""
        return side_by_side_at_most(need, self.memory, self._slots)

    def has_room(self, running: Sequence[Batch], batch: Batch) -> bool:
        """See Engine."""
        return sum(map(memory_of, [*running, batch])) <= self.memory

    def submit(
        self, batch: Batch, store: Store, *, alone: bool, may_be_left: bool = False
    ) -> None:
        """See Engine. What runs alone is computed here: no process need start for it.

        What may have to be ended goes to a worker all the same: only a process can be.
        """
        frozen = is_frozen(batch)
        if not may_be_left and (alone or self._slots == 1):
            with nullcontext() if frozen else one_thread():
                self._ended.append((batch, computed(batch, store)))
        else:
            used = cores() if frozen else 1
            travelling, workers = sent(batch, self._prepare), self._workers()
            if self._channel is not None:
                self._channel.hear = hears()
            with shielding_children():  # the first task starts them
                future = workers.submit(_computed_in_worker, travelling, store.address, used)
            self._running[future] = batch

    def finished(self, patience: float | None = None) -> tuple[Batch, Outcomes] | None:
        """See Engine."""
        if not self._ended:
            ended, _ = wait(self._running, patience, FIRST_COMPLETED)
            for future in ended:
                self._ended.append((self._running.pop(future), future.result()))
        return self._ended.popleft() if self._ended else None

    def close(self, *, at_once: bool = False) -> None:
        """See Engine. Workers that are idle stay for the next tasks, or end by themselves."""
        if self._executor is not None and at_once:
            _quiet_manager()
            self._executor.shutdown(wait=False, kill_workers=True)
            self._executor = None
            if self._channel is not None:
                self._channel.close()
                self._channel = None
        self._running.clear()
        self._ended.clear()
        self._free_memory = None

    def shutdown(self) -> None:
        """See Engine."""
        self.close(at_once=True)

    def _workers(self) -> Any:
        if self._executor is None:
            from multiprocessing import resource_tracker

            from joblib.externals.loky import ProcessPoolExecutor
            from joblib.externals.loky.backend import resource_tracker as of_loky

            # Python's own too: workers share it, and some are killed with locks of libraries.
            start_quietly(resource_tracker)
            start_quietly(of_loky)
            # It is said of workers that ended because nothing was to do, and are started again.
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
            self._channel = Channel()
            # Not the pool that joblib reuses: scikit-learn's own processes are of that one.
            self._executor = ProcessPoolExecutor(
                self._slots, timeout=IDLE, env=dict.fromkeys(THREADS, "1"),
                initializer=_begin,
                initargs=(os.getpid(), self._channel.worker_end, self._growth()),
            )
        return self._executor

    def _growth(self) -> int:
        """Bytes by which each worker may grow: together half of what they may take."""
        return int(max(LEAST_GROWTH, min(GROWTH, self.memory / (2 * self._slots))))


def _quiet_manager() -> None:
    """Say nothing of how the thread ends that hands work to workers, once these are killed.

    It may be about to hand over what was just cancelled.
    """
    shown = threading.excepthook

    def show(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is None or arguments.thread.name != "ExecutorManagerThread":
            shown(arguments)

    threading.excepthook = show


def start_quietly(tracker: Any) -> None:
    """Start the process that clears shared memory when all others have gone.

    It warns of what it clears behind a run that was killed, in the middle of what comes after it.

    Parameters
    ----------
    tracker : the module of the tracker, of multiprocessing or of joblib's loky.
    """
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore::UserWarning"
    try:
        tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


_tell: Hear | None = None  # of a worker: what it tells the run


def _begin(run: int, end: Connection | None, growth: int) -> None:
    """In a worker of a run of that number, which it tells by `end` what it does.

    Parameters
    ----------
    growth : bytes by which it may grow.
    """
    global _tell  # noqa: PLW0603  one for each process
    begin_worker(run)
    from joblib.externals.loky import process_executor

    process_executor._MAX_MEMORY_LEAK_SIZE = growth
    _tell = teller(end)


def _computed_in_worker(travelled: Sent, address: str, used: int) -> dict[str, Outcome]:
    with threads(used), heard(_tell):
        return computed(travelled.read(), store_at(address))


def one_thread() -> AbstractContextManager[None]:
    """Numerical libraries use one thread, also one that is only imported inside."""
    return threads(1)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Numerical libraries use so many threads, also one that is only imported inside."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(count)
    torch = sys.modules.get("torch")
    threads_before = torch.get_num_threads() if torch else 0
    if torch:
        torch.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        if before is None:
            os.environ.pop("OMP_NUM_THREADS")
        else:
            os.environ["OMP_NUM_THREADS"] = before
        if torch:
            torch.set_num_threads(threads_before)
