"""A dask cluster: how it is opened and closed, and which of its workers take part."""

from __future__ import annotations

import logging
import os
import signal
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from features.machine.extras import lacking, not_installed
from pipeline.engine.attempts import describe
from pipeline.engine.processes import THREADS, start_quietly
from pipeline.engine.progress import say
from pipeline.engine.sending import Preparation
from pipeline.engine.stopping import SIGNALS, name_semaphores, scratch
from pipeline.engine.task import EngineError, NoWorkers
from pipeline.engine.workers import (
    Worker,
    described,
    difference,
    is_gone,
    marked,
    sees,
    worker_of,
)
from pipeline.store.store import Store

CONNECT = 10  # seconds after which no scheduler is at an address


class Cluster:
    """The workers at a scheduler's address, or of a scheduler and workers of this machine.

    A worker takes part when it has the same Python and packages and sees the same store: keys hold
    versions, and what one worker puts there the others must find.

    Parameters
    ----------
    slots : workers to start where there is no address.
    packages : whose versions must be equal, where they are installed here.
    prepare : makes a worker ready, and says what else must be equal.
    """

    def __init__(
        self,
        slots: int,
        address: str | None,
        packages: Sequence[str],
        prepare: Preparation | None = None,
    ) -> None:
        self.workers: dict[str, Worker] = {}
        self._packages, self._prepare = packages, prepare
        self._versions = described(packages, prepare)["versions"]
        self.resting: set[str] = set()  # those that take nothing new for now: their memory is full
        self._refused: set[str] = set()
        self._seeing: set[tuple[str, str]] = set()
        self._has_begun = False
        with ExitStack() as leaving:  # where it cannot be opened
            if address:
                self._local = None
            else:
                self._local = _local_cluster(slots, leaving.enter_context(scratch()))
            self._client = _client(address or self._local)
            self._leaving = leaving.pop_all()
        self.address = str(self._client.scheduler.address)

    # Workers

    def update(self, store: Store | None) -> None:
        """Look which workers there are now, and check those that are new.

        Raises
        ------
        EngineError
            Where a worker cannot take part, before any has; later ones are left out, and it is
            said.
        NoWorkers
            Where the scheduler answers no more.
        """
        listed = self._listed()
        self._refused &= set(listed)
        self.resting = {
            address for address, about in listed.items() if about["status"] != "running"
        }
        self.workers = {
            address: worker for address, worker in self.workers.items() if address in listed
        }
        known = {*self.workers, *self._refused}
        problems = self._admit({name: listed[name] for name in listed if name not in known})
        if store is not None:
            problems |= self._check_sight(store)
        if problems and not self._has_begun:
            raise EngineError(
                "\n".join(f"worker {label}: {problem}" for label, problem in problems.items())
            )
        for label, problem in problems.items():
            say(f"warning: worker {label} is not used: {problem}")
        self._has_begun = self._has_begun or bool(store is not None and self.workers)

    def _listed(self) -> Mapping[str, Mapping[str, Any]]:
        """What the scheduler says of its workers, by address."""
        try:
            answer: Mapping[str, Any] = self._client.scheduler_info(n_workers=-1)
            listed: Mapping[str, Mapping[str, Any]] = answer["workers"]
        except (OSError, KeyError) as error:  # of a client that has no scheduler any more
            raise NoWorkers(
                f"the dask scheduler {self.address} answers no more ({describe(error)})"
            ) from error
        return listed

    def _admit(self, new: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Take in the new workers that have what they need; what is wrong with the others."""
        if not new:
            return {}
        answers = self._ask(
            described, self._packages, self._prepare, bool(self._local), of=new
        )
        problems: dict[str, str] = {}
        for address, answer in answers.items():
            worker = worker_of(address, new[address], answer)
            if is_gone(answer):
                continue
            if problem := difference(answer, self._versions):
                problems[worker.label] = problem
                self._refused.add(address)
            else:
                self.workers[address] = worker
        return problems

    def _check_sight(self, store: Store) -> dict[str, str]:
        """Leave out the workers that do not see what is put into the store here."""
        new = [address for address in self.workers if (address, store.address) not in self._seeing]
        if not new:
            return {}
        with marked(store) as key:
            answers = self._ask(sees, store.address, key, of=new)
        problems: dict[str, str] = {}
        for address, answer in answers.items():
            if answer is True:
                self._seeing.add((address, store.address))
                continue
            worker = self.workers.pop(address)
            if not is_gone(answer):
                self._refused.add(address)
                reason = "" if answer is False else f" ({answer})"
                problems[worker.label] = (
                    f"it does not see the store {store.address}{reason}: name a --store that all "
                    "workers reach under this address, such as a folder on a shared file system"
                )
        return problems

    def _ask(self, question: Any, *arguments: object, of: Iterable[str]) -> dict[str, Any]:
        """Answers of workers by address, or the errors that they had."""
        return dict(
            self._client.run(question, *arguments, workers=list(of), on_error="return")
        )

    # Work

    def submit(self, worker: Worker, function: Any, *arguments: object) -> Any:
        """A future of a function's result on a worker, on no other."""
        return self._client.submit(
            function,
            *arguments,
            key=f"modalgrid-{uuid.uuid4().hex}",
            workers=[worker.address],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )

    def cancel(self, futures: Sequence[Any]) -> None:
        """Forget futures; what a worker is computing it computes to its end."""
        with suppress(OSError):  # of a scheduler that has gone
            self._client.cancel(futures, force=True)

    def close(self, *, at_once: bool = False) -> None:
        """End the connection, and the workers that were started for it.

        `at_once`: workers of this machine leave what they are computing.
        """
        if self._local is not None and at_once:
            for nanny in self._local.workers.values():
                nanny.auto_restart = False  # else it starts another in its stead
                if nanny.pid is not None:
                    with suppress(ProcessLookupError):
                        os.kill(nanny.pid, signal.SIGKILL)
        self._client.close()
        if self._local is not None:
            self._local.close()
        self._leaving.close()


# Opening


def require_dask() -> None:
    """Raise EngineError where the packages of a dask cluster are not installed."""
    missing = not_installed(["distributed"])
    if missing:
        raise EngineError(lacking("the engine dask", missing))


def _local_cluster(slots: int, scratch: Path) -> Any:
    from multiprocessing import resource_tracker

    import dask
    from distributed import LocalCluster

    _silence()
    name_semaphores()
    start_quietly(resource_tracker)
    # The threads of workers are not those of this process, whose environment that setting changes.
    start: Any = LocalCluster
    # What is interrupted half started can be neither used nor closed.
    setting = {
        "distributed.nanny.pre-spawn-environ": {},
        "temporary-directory": str(scratch),  # of workers and of the scheduler
    }
    with dask.config.set(setting), _noting() as interrupts:
        try:
            cluster = start(
                n_workers=slots,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,  # they share this machine's, which the engine divides
                dashboard_address="127.0.0.1:0",  # any port that is free
                silence_logs=logging.CRITICAL,
                env=dict.fromkeys(THREADS, "1"),
            )
        except Exception:
            if interrupts:  # a terminal's Ctrl-C reaches the workers, too
                raise KeyboardInterrupt from None
            raise
    if interrupts:
        cluster.close()
        raise KeyboardInterrupt
    return cluster


@contextmanager
def _noting() -> Iterator[list[int]]:
    """The signals that would stop the run, which wait meanwhile: only the main thread gets any."""
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = {
        number: signal.signal(number, lambda number, _: noted.append(number)) for number in SIGNALS
    }
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _client(address: Any) -> Any:
    from distributed import Client

    _silence()
    connect: Any = Client
    try:
        return connect(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise EngineError(
            f"no dask scheduler answers at {address} ({error}): start one with `dask scheduler`"
        ) from error


def _silence() -> None:
    """What distributed says of workers that come and go: the run tells what matters of it."""
    for name in ["distributed", *logging.root.manager.loggerDict]:
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)
