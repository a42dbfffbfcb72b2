"""Workers of a dask cluster: which takes what, and what a lost or unfit one costs."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from pipeline.engine import cluster as cluster_module
from pipeline.engine import dask as dask_module
from pipeline.engine import workers as workers_module
from pipeline.engine.dask import LOST, Dask
from pipeline.engine.progress import silence
from pipeline.engine.run_all import run_all
from pipeline.engine.task import Done, EngineError, Failed, NoWorkers, Shown
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from tests.support.installs import uninstall

SCHEDULER = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}


@dataclass(frozen=True)
class Act(Shown):
    """A task that notes each of its attempts in a file, with its process, and may then act."""

    stage: ClassVar[str] = "Acts"
    needs: ClassVar[tuple[str, ...]] = ()
    together: ClassVar[None] = None

    label: str
    folder: Path
    act: str = ""
    all_cores: bool = False
    memory: float = 0.0

    @property
    def keys(self) -> tuple[str, ...]:
        return (key_of({"act": self.label}),)

    @property
    def attempts(self) -> list[int]:
        path = self.folder / self.label
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def compute(self, store: Store) -> dict[str, Any]:
        with (self.folder / self.label).open("a") as file:
            file.write(f"{os.getpid()}\n")
        if self.act == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.act == "fail":
            raise ValueError("the weights melted")
        if self.act == "wait":  # each opening waits for the other end's
            (self.folder / "begun").write_text(str(os.getpid()))
            (self.folder / "go").read_text()
        facts = {"threads": os.environ["OMP_NUM_THREADS"]}
        entry = store.get({"act": self.label}, lambda: Entry({}, facts))
        return {self.keys[0]: Done(entry.seconds, entry.reused)}


def worker(name: str, **options: Any) -> dict[str, Any]:
    from distributed import Nanny

    return {"cls": Nanny, "options": {
        "name": name, "nthreads": 1, "memory_limit": "2GB", "dashboard": False, **options}}


@contextmanager
def started(specification: dict[str, Any], **options: Any) -> Iterator[Any]:
    """A cluster whose workers are processes of their own."""
    import dask
    from distributed import Scheduler, SpecCluster

    scheduler = {"cls": Scheduler, "options": SCHEDULER}
    # they are not to change the threads of the tests' own process
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": {}}),
        SpecCluster(specification, scheduler, silence_logs=50, **options) as cluster,
    ):
        yield cluster


@pytest.fixture(scope="module")
def pair() -> Iterator[Any]:
    """A cluster of two workers, one of which has a GPU."""
    specification = {
        "plain": worker("plain"),
        "fast": worker("fast", nthreads=2, resources={"GPU": 1}),
    }
    with started(specification) as cluster:
        yield cluster


@pytest.fixture
def address(pair) -> str:
    """Where both workers are, also after a test in which some died."""
    pair.wait_for_workers(2)
    return str(pair.scheduler_address)


@pytest.fixture
def engine(address) -> Iterator[Dask]:
    made = Dask(1, address, ["numpy", "modalgrid"])
    yield made
    made.shutdown()


def names_of(outcomes: dict[str, Any]) -> list[str]:
    return [outcome.where.partition(":")[2] for outcome in outcomes.values()]


def test_frozen_encoders_go_to_a_gpu_first_and_all_else_to_other_workers(engine, store, tmp_path):
    for frozen, names in ((True, ["fast", "plain"]), (False, ["plain", "fast"])):
        tasks = [Act(f"{frozen}{number}", tmp_path, all_cores=frozen) for number in (0, 1)]
        for task in tasks:
            assert engine.has_room([], [task])
            engine.submit([task], store, alone=False)
        assert not engine.has_room([], tasks[:1])
        where = dict(batch_and_where(engine) for _ in tasks)
        assert [where[task.label] for task in tasks] == names
        threads = [store.load({"act": task.label}).facts["threads"] for task in tasks]
        assert threads == (["2", "1"] if frozen else ["1", "1"])
        engine.close()


def batch_and_where(engine: Dask) -> tuple[str, str]:
    ended = engine.finished()
    assert ended is not None
    (task,), outcomes = ended
    return task.label, names_of(outcomes)[0]


def test_a_batch_goes_to_a_worker_that_has_memory_for_it(engine, tmp_path):
    assert engine.slots == 2
    assert engine.memory == 4e9
    assert [engine.side_by_side(need) for need in (1e9, 3e9)] == [2, 0]
    assert not engine.has_room([], [Act("large", tmp_path, memory=3e9)])


def test_what_no_worker_has_memory_for_is_tried_in_the_end(engine, store, tmp_path):
    tasks = [Act("small", tmp_path), Act("large", tmp_path, memory=3e9)]
    outcomes = run_all(tasks, engine, store, silence)
    assert {type(outcome) for outcome in outcomes.values()} == {Done}


def test_an_error_in_a_task_fails_it_with_its_traceback(engine, store, tmp_path):
    tasks = [Act("broken", tmp_path, "fail"), Act("sound", tmp_path)]
    outcomes = run_all(tasks, engine, store, silence)  # in the order in which they ended
    failed, done = (outcomes[task.keys[0]] for task in tasks)
    assert isinstance(done, Done)
    assert (failed.label, failed.error) == ("broken", "ValueError: the weights melted")
    assert "in compute\n" in failed.traceback


def pipes(folder: Path) -> None:
    os.mkfifo(folder / "begun")
    os.mkfifo(folder / "go")


def test_a_lost_worker_loses_the_batch_that_it_has_and_no_other(engine, store, tmp_path):
    pipes(tmp_path)

    def kill_the_first() -> None:
        os.kill(int((tmp_path / "begun").read_text()), signal.SIGKILL)
        (tmp_path / "begun").read_text()
        (tmp_path / "go").write_text("")

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    victim, others = Act("victim", tmp_path, "wait"), [Act(str(i), tmp_path) for i in range(6)]
    outcomes = run_all([victim, *others], engine, store, silence)
    killer.join()
    assert {type(outcome) for outcome in outcomes.values()} == {Done}
    assert len(set(victim.attempts)) == 2
    assert [len(task.attempts) for task in others] == [1] * 6


@pytest.fixture
def growing() -> Iterator[Any]:
    """A cluster of a single worker, which another may join."""
    with started({"first": worker("first")}, worker=worker("late")) as cluster:
        yield cluster


def test_a_worker_that_joins_while_all_are_busy_is_used_at_once(growing, store, tmp_path):
    engine = Dask(1, growing.scheduler_address)
    tasks = [Act(label, tmp_path / label, "wait") for label in ("first", "second")]
    for task in tasks:
        task.folder.mkdir()
        pipes(task.folder)

    def add_a_worker() -> None:
        assert (tasks[0].folder / "begun").read_text()
        growing.scale(2)
        assert (tasks[1].folder / "begun").read_text()  # the first has not ended
        for task in tasks:
            (task.folder / "go").write_text("")

    adder = threading.Thread(target=add_a_worker)
    adder.start()
    outcomes = run_all(tasks, engine, store, silence)
    adder.join()
    assert len(set(names_of(outcomes))) == 2

    engine.shutdown()


def test_a_worker_that_joins_with_other_versions_is_left_out(growing, store, tmp_path, capsys):
    engine = Dask(1, growing.scheduler_address, ["numpy"])
    run_all([Act("a", tmp_path)], engine, store, silence)
    engine._cluster._versions = {"numpy": "0"}  # the first was asked when they were others
    growing.scale(2)
    growing.wait_for_workers(2)
    engine._look()
    outcomes = run_all([Act("b", tmp_path), Act("c", tmp_path)], engine, store, silence)
    assert engine.slots == 1
    assert names_of(outcomes) == ["first", "first"]
    assert re.search(r"warning: worker .* is not used: numpy .* there, 0 here",
                     capsys.readouterr().err)
    engine.shutdown()


def test_a_batch_whose_workers_die_fails_with_its_name_and_others_go_on(engine, store, tmp_path):
    dead, others = Act("dead", tmp_path, "die"), [Act(str(i), tmp_path) for i in range(4)]
    needing = Act("needing", tmp_path)
    object.__setattr__(needing, "needs", dead.keys)
    outcomes = run_all([dead, *others, needing], engine, store, silence)
    failed = outcomes[dead.keys[0]]
    assert isinstance(failed, Failed)
    assert f"the worker that computed dead died {LOST} times" in failed.error
    assert "memory" in failed.error
    assert len(set(dead.attempts)) == LOST
    assert isinstance(outcomes[needing.keys[0]], Failed)
    assert [len(task.attempts) for task in others] == [1] * 4


def test_what_is_left_at_once_is_cancelled_and_the_engine_takes_tasks_again(
    engine, store, tmp_path
):
    pipes(tmp_path)
    engine.submit([Act("left", tmp_path, "wait")], store, alone=True)
    assert (tmp_path / "begun").read_text()
    engine.close(at_once=True)
    (tmp_path / "go").write_text("")
    outcomes = run_all([Act("a", tmp_path), Act("b", tmp_path)], engine, store, silence)
    assert {type(outcome) for outcome in outcomes.values()} == {Done}
    engine.shutdown()
    engine.shutdown()


def test_workers_with_other_versions_are_refused(address, monkeypatch):
    monkeypatch.setattr(workers_module, "version", lambda name: f"0 of {name}")
    with pytest.raises(EngineError) as error:
        Dask(1, address, ["numpy"])
    lines = sorted(str(error.value).splitlines())
    assert [line.partition(": ")[0].rpartition(":")[2] for line in lines] == ["fast", "plain"]
    assert all("numpy " in line and "there, 0 of numpy here" in line for line in lines)


def test_a_package_that_a_worker_lacks_is_named(address, monkeypatch):
    monkeypatch.setattr(workers_module, "version", lambda name: "1")
    with pytest.raises(EngineError, match="imaginary is not installed there, 1 here"):
        Dask(1, address, ["imaginary"])


def test_a_store_that_workers_do_not_see_is_refused_before_anything_is_computed(
    engine, store, tmp_path
):
    store.address = str(tmp_path / "of another machine")
    task = Act("never", tmp_path)
    with pytest.raises(EngineError, match=r"worker .*does not see the store .*another machine"):
        run_all([task], engine, store, silence)
    assert task.attempts == []
    assert store.all_keys() == []


def test_the_check_of_the_store_leaves_nothing_there(engine, store, tmp_path):
    task = Act("a", tmp_path)
    run_all([task], engine, store, silence)
    assert store.all_keys() == list(task.keys)


def test_without_workers_the_run_stops_after_a_while(tmp_path):
    with (
        started({}) as cluster,
        pytest.raises(NoWorkers, match=f"dask worker {cluster.scheduler_address}"),
    ):
        Dask(1, cluster.scheduler_address, patience=0.0)


def test_an_address_without_a_scheduler_is_named(monkeypatch):
    monkeypatch.setattr(cluster_module, "CONNECT", 0.1)
    with pytest.raises(EngineError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:9 "):
        Dask(1, "tcp://127.0.0.1:9")


def test_without_the_extra_it_is_named(monkeypatch):
    uninstall(monkeypatch, "distributed")
    with pytest.raises(EngineError, match=r'the engine dask needs distributed.*modalgrid\[dask\]"'):
        Dask(1)


@pytest.fixture
def local() -> Iterator[Dask]:
    made = Dask(2)
    yield made
    made.shutdown()


def test_workers_of_this_machine_share_its_memory_and_start_with_the_first_task(
    local, store, tmp_path, monkeypatch
):
    monkeypatch.setattr(dask_module, "free", lambda: 10.0)
    assert (local.slots, local.memory, local.side_by_side(4.0), local.side_by_side(11.0)) == (
        2, 10.0, 2, 0)
    tasks = [Act(f"{label}", tmp_path, memory=6.0) for label in "ab"]
    assert not local.has_room([tasks[:1]], tasks[1:])
    assert local.has_room([], tasks[:1])
    assert {type(outcome) for outcome in run_all(tasks, local, store, silence).values()} == {Done}
    assert os.getpid() not in (*tasks[0].attempts, *tasks[1].attempts)
    pipes(tmp_path)
    local.submit([Act("left", tmp_path, "wait")], store, alone=True)
    process = psutil.Process(int((tmp_path / "begun").read_text()))
    local.close(at_once=True)
    process.wait(timeout=60)  # raises where it goes on
