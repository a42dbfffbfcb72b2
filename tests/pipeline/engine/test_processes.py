"""Worker processes: equal results from one and from two, errors with their tracebacks, deaths."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from joblib import Parallel, delayed
from joblib.externals.loky import process_executor

from features import IMAGE_ENCODERS
from features.encoder import Targets
from features.encoders.small_cnn import SmallCNN
from features.encoders.small_resnet import SmallResNet
from features.encoders.small_vgg import SmallVGG
from features.machine.cores import cores
from models import FUSIONS
from models.neural.fusion import NeuralFusion
from pipeline.engine import stopping
from pipeline.engine.attempts import attempt
from pipeline.engine.processes import Processes, one_thread
from pipeline.engine.progress import silence
from pipeline.engine.run_all import run_all
from pipeline.engine.task import Done, NotReached, Shown
from pipeline.store.folder import FolderStore
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.testing.views import views
from tests.support.limits import Impatient
from tests.support.paths import ROOT
from tests.support.samples import coloured

# Encoders that are networks trained in a fold.
TRAINED = {
    "small_vgg": lambda: SmallVGG(width=4, epochs=1),
    "small_resnet": lambda: SmallResNet(depth=8, width=4, epochs=1),
}


def predicted(name: str) -> np.ndarray:
    if name in TRAINED:
        pictures = coloured(30)
        encoder = TRAINED[name]().fit_supervised(pictures, Targets(np.arange(30) % 3))
        return encoder.transform(pictures).array()
    cls = FUSIONS[name]
    train, y = views(next(iter({"sequence", "inputs"} & set(cls.needs.values())), "pooled"))
    return cls(epochs=4, random_state=7).fit(train, y).predict_proba(train)


def test_shared_memory_of_a_run_that_was_killed_goes_with_the_next(tmp_path, monkeypatch):
    """Though no worker starts: all may have been stored before it was killed."""
    monkeypatch.setattr(stopping, "SHARED_MEMORY", tmp_path)
    left = tmp_path / f"sem.loky-{2**22 + 1}-abc"  # no process of Linux has such a number
    other = tmp_path / f"sem.loky-{os.getpid()}-abc"
    left.touch()
    other.touch()
    Processes(2)
    assert list(tmp_path.iterdir()) == [other]


@dataclass(frozen=True)
class Predict(Shown):
    """A fusion or an encoder by name, fitted and asked."""

    stage: ClassVar[str] = "Fits"
    needs: ClassVar[tuple[str, ...]] = ()
    memory: ClassVar[float] = 0.0
    together: ClassVar[None] = None
    all_cores: ClassVar[bool] = False

    label: str

    @property
    def ingredients(self) -> dict[str, Any]:
        return {"fusion": self.label}

    @property
    def keys(self) -> tuple[str, ...]:
        return (key_of(self.ingredients),)

    def compute(self, store: Store) -> dict[str, Any]:
        return {self.keys[0]: attempt(lambda: store.get(
            self.ingredients, lambda: Entry({"probabilities": predicted(self.label)})))}


def test_networks_are_the_same_from_one_worker_and_from_two(tmp_path):
    names = [name for name, cls in FUSIONS.items() if issubclass(cls, NeuralFusion)]
    assert {"attention", "cross_attention", "gated", "co_training", "end_to_end"} <= set(names)
    assert set(TRAINED) == {
        name for name, cls in IMAGE_ENCODERS.items() if issubclass(cls, SmallCNN)
    }
    names += TRAINED
    answers = []
    for slots in (1, 2):
        store = FolderStore(tmp_path / str(slots))
        run_all([Predict(name) for name in names], Processes(slots), store, silence)
        entries = {name: store.load({"fusion": name}) for name in names}
        answers.append({name: entry.arrays["probabilities"] for name, entry in entries.items()})
    alone, together = answers
    for name in names:
        np.testing.assert_array_equal(alone[name], together[name])


@dataclass(frozen=True)
class Act(Shown):
    """A task that does something, and notes in which process."""

    stage: ClassVar[str] = "Acts"
    needs: ClassVar[tuple[str, ...]] = ()
    memory: ClassVar[float] = 0.0
    together: ClassVar[None] = None

    label: str
    act: Callable[[], object]
    all_cores: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        return (key_of({"act": self.label}),)

    def compute(self, store: Store) -> dict[str, Any]:
        self.act()
        threads = os.environ.get("OMP_NUM_THREADS")
        process = Entry({}, {"process": os.getpid(), "threads": threads})
        entry = store.get({"act": self.label}, lambda: process)
        return {self.keys[0]: Done(entry.seconds, entry.reused)}


def nothing() -> None:
    pass


def fail() -> None:
    raise ValueError("the weights melted")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def facts(store: Store, label: str) -> dict[str, Any]:
    return dict(store.load({"act": label}).facts)


def write_masked(path: Path) -> None:
    """The numbers of the signals that this process does not take."""
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    path.write_text(" ".join(str(int(number)) for number in masked))


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="not POSIX")
def test_a_worker_takes_no_ctrl_c_from_its_first_moment_on(store, tmp_path):
    """What it is importing then would be shown as a traceback, behind the run's own words."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    engine = Processes(2)
    try:
        path = tmp_path / "masked"
        engine.submit([Act("masked", partial(write_masked, path))], store, alone=False)
        ended = engine.finished()
    finally:
        engine.shutdown()
    assert ended is not None
    assert str(int(signal.SIGINT)) in path.read_text().split()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_one_slot_computes_in_this_process(store):
    tasks = [Act("a", nothing), Act("b", nothing)]
    outcomes = run_all(tasks, Processes(1), store, silence)
    assert {type(outcome) for outcome in outcomes.values()} == {Done}
    assert {facts(store, task.label)["process"] for task in tasks} == {os.getpid()}


def test_two_slots_compute_elsewhere_but_for_what_runs_alone(store):
    tasks = [Act("busy", nothing, all_cores=True), Act("a", nothing), Act("last", nothing)]
    engine = Processes(2)
    for task, alone in zip(tasks, (True, False, True), strict=True):
        engine.submit([task], store, alone=alone)
        batch, outcomes = engine.finished()
        assert batch == [task]
        assert list(outcomes) == list(task.keys)
    engine.close()
    here = {task.label: facts(store, task.label)["process"] == os.getpid() for task in tasks}
    assert here == {"busy": True, "a": False, "last": True}
    assert facts(store, "a")["threads"] == facts(store, "last")["threads"] == "1"


@pytest.mark.parametrize("slots", [1, 2])
def test_an_error_in_a_task_fails_it_with_its_traceback(slots, store):
    tasks = [Act("broken", fail), Act("a", nothing), Act("b", nothing)]
    outcomes = run_all(tasks, Processes(slots), store, silence)
    failed = outcomes[tasks[0].keys[0]]
    assert (failed.label, failed.error) == ("broken", "ValueError: the weights melted")
    assert "in fail\n" in failed.traceback
    assert failed.traceback.endswith("ValueError: the weights melted\n")
    assert all(isinstance(outcomes[task.keys[0]], Done) for task in tasks[1:])


def test_a_worker_that_dies_ends_the_work_and_the_next_engine_works(store):
    tasks = [Act("dead", die), Act("a", nothing), Act("b", nothing)]
    with pytest.raises(BrokenExecutor):
        run_all(tasks, Processes(2), store, silence)
    outcomes = run_all(tasks[1:], Processes(2), store, silence)
    assert {type(outcome) for outcome in outcomes.values()} == {Done}


def test_an_engine_that_was_closed_takes_tasks_again(store):
    engine = Processes(2)
    for label in ("a", "b"):
        tasks = [Act(f"{label}{number}", nothing) for number in range(3)]
        assert len(run_all(tasks, engine, store, silence)) == 3


HELD: list[np.ndarray] = []  # in a worker


def grow() -> None:
    """Grow by 320 MB after the first task, in a worker that loky looks at after every task."""
    process_executor._MEMORY_LEAK_CHECK_DELAY = -1.0
    if len(HELD) < 2:
        HELD.append(np.ones(80_000_000, np.float32))


@pytest.mark.parametrize(("memory", "stays"), [(4e9, True), (4e8, False)])
def test_a_worker_that_keeps_much_is_started_anew_only_where_memory_is_short(memory, stays, store):
    """It would have to import all again, and has lost what other cells of a fold need."""
    tasks = [Act(f"a{number}", grow) for number in range(8)]
    run_all(tasks, Processes(2, memory), store, silence)
    workers = {facts(store, task.label)["process"] for task in tasks}
    assert (len(workers) <= 2) == stays


def wait_for_ever() -> None:
    threading.Event().wait()


@pytest.mark.parametrize("slots", [1, 2])
def test_what_never_ends_is_left_and_the_engine_works_on(slots, store):
    engine, limit = Processes(slots), Impatient(10)
    endless = Act("endless", wait_for_ever, all_cores=True)
    outcomes = run_all([endless], engine, store, silence, limit=limit)
    assert outcomes == {endless.keys[0]: NotReached()}
    tasks = [Act("a", nothing), Act("b", nothing)]
    outcomes = run_all(tasks, engine, store, silence)
    assert {type(outcome) for outcome in outcomes.values()} == {Done}
    engine.shutdown()


def test_what_may_be_left_is_computed_elsewhere(store):
    tasks = [Act("a", nothing), Act("busy", nothing, all_cores=True)]
    engine = Processes(1)
    for task in tasks:
        engine.submit([task], store, alone=True, may_be_left=True)
        assert engine.finished(None) is not None
        assert facts(store, task.label)["process"] != os.getpid()
    assert facts(store, "busy")["threads"] == str(cores())
    engine.shutdown()


LOCKS = []  # of a worker: what a library there keeps to its end


def take_lock() -> None:
    LOCKS.append(multiprocessing.RLock())  # as progress bars of libraries do


def killed_with_a_lock(folder: str) -> None:
    """A run whose worker holds a lock when it is killed."""
    engine = Processes(2)
    tasks = [Act(f"lock {number}", take_lock) for number in range(2)]
    outcomes = run_all(tasks, engine, FolderStore(Path(folder)), silence)
    assert {type(outcome) for outcome in outcomes.values()} == {Done}
    engine.shutdown()


def test_nothing_is_said_of_locks_that_killed_workers_held(tmp_path):
    module = killed_with_a_lock.__module__
    code = f"import sys; from {module} import *; killed_with_a_lock(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path / "store")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_memory_is_asked_for_anew_after_a_close(monkeypatch):
    answers = iter([5.0, 7.0])
    monkeypatch.setattr("pipeline.engine.processes.free", lambda: next(answers))
    engine = Processes(2)
    assert (engine.memory, engine.memory) == (5.0, 5.0)
    engine.close()
    assert engine.memory == 7.0


@pytest.mark.parametrize("before", ["3", None])
def test_one_thread_leaves_the_setting_as_it_was(before, monkeypatch):
    if before is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", before)
    with one_thread():
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_processes_of_joblib_work_beside_ours(store):
    """A classifier with `n_jobs` may start joblib's own pool in the process of the run."""
    engine = Processes(2)
    run_all([Act("a", nothing), Act("b", nothing)], engine, store, silence)
    roots = Parallel(n_jobs=2)(delayed(math.sqrt)(number) for number in (4.0, 9.0))
    assert roots == [2.0, 3.0]
    outcomes = run_all([Act("c", nothing), Act("d", nothing)], engine, store, silence)
    assert {type(outcome) for outcome in outcomes.values()} == {Done}


@dataclass(frozen=True)
class PredictOnGPU(Predict):
    """The same on a GPU, whether that pays or not."""

    def compute(self, store: Store) -> dict[str, Any]:
        FUSIONS[self.label].gpu_pays = True
        return super().compute(store)


@pytest.mark.gpu
def test_several_processes_train_on_a_gpu_that_this_one_has_used(tmp_path):
    """Workers are no forks of this process: CUDA does not work in those."""
    import torch

    held = torch.ones(2**20, device="cuda")
    names = [name for name, cls in FUSIONS.items() if issubclass(cls, NeuralFusion)]
    store = FolderStore(tmp_path)
    outcomes = run_all([PredictOnGPU(name) for name in names], Processes(4), store, silence)
    assert all(isinstance(outcome, Done) for outcome in outcomes.values()), outcomes
    for name in names:
        entry = store.load({"fusion": name})
        assert entry is not None
        assert np.isfinite(entry.arrays["probabilities"]).all()
    assert float(held.sum()) == 2**20
