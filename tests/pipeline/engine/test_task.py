"""Every kind of task keeps the contract: what it says of itself, and what travels with it."""

from __future__ import annotations

import importlib
import inspect
import io
import pickle
import pkgutil
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import pipeline
from pipeline.engine.processes import Processes
from pipeline.engine.task import Done, Task
from pipeline.store.folder import FolderStore
from pipeline.store.store import Store
from pipeline.tasks.encoding.encode import EncodeTask
from pipeline.tasks.encoding.shard import ShardTask
from tests.support.tiny import GRID, register, run_grid, without_report, write_grid, write_table

FUSIONS = (
    "fusion: [majority, text_only, image_only, concat, semi_supervised, "
    "{late: {rule: [mean, stacking]}}, {attention: {epochs: 1, width: 8}}, {gated: {epochs: 1}}]"
)
LEARNED = (
    re.sub("fusion: .*", FUSIONS, GRID)
    .replace("image: [mean_colour]", "image: [mean_colour, {small_vgg: {width: 2, epochs: 1}}]")
    .replace("text: [bow]", "text: [bow, {word2vec: {size: 8, epochs: 1}}]")
    .replace("[1, 100]", "[1]")
) + "learning_curve: [0.5]\nextra_metrics: [same_class_hit_at_1_features]\n"
PAIRS = (
    re.sub("fusion: .*", "fusion: [{text_space: {regularisation: 0.4}}, cca]", GRID)
    .replace("name: tiny", "name: pairs\ntask: retrieval")
    .replace("label: kind, ", "")
    .replace("classifier: {logistic: {C: [1, 100]}}\n", "")
)
LARGEST = 2**16  # bytes of one task of 36 rows, whose pictures are paths
KEY = re.compile("[0-9a-f]{64}")


class Arrays(pickle.Pickler):
    """Pickles as usual, and notes every array on the way."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.arrays: list[np.ndarray] = []

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            self.arrays.append(value)
        assert not sparse.issparse(value), value
        assert type(value).__module__.partition(".")[0] != "torch", value
        return NotImplemented


@dataclass(frozen=True)
class Submitted:
    """A task that was handed to the engine.

    Parameters
    ----------
    bytes, arrays : of what travels.
    lacking : keys that it needs and the store did not have.
    missing : its own keys that the store did not have.
    added : entries that computing its batch, which it was alone in, put into the store; or None.
    """

    task: Task
    bytes: int
    arrays: Sequence[np.ndarray]
    lacking: Sequence[str]
    missing: frozenset[str]
    added: frozenset[str] | None

    @property
    def name(self) -> tuple[str, str]:
        return type(self.task).__name__, self.task.label


@dataclass(frozen=True)
class Run:
    tasks: Sequence[Submitted]
    store: Store


def travelling(task: Task) -> tuple[int, list[np.ndarray]]:
    """Bytes of a task, and the arrays in it."""
    file = io.BytesIO()
    pickler = Arrays(file)
    pickler.dump(task)
    return len(file.getvalue()), pickler.arrays


def keys_in(store: Store) -> frozenset[str]:
    return frozenset(entry.name for entry in store.entries())


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """Every task of two whole runs in this process, as it was when the engine was given it."""
    folder, submitted, submit = tmp_path_factory.mktemp("run"), [], Processes.submit

    def watched(self, batch, store, **how):
        travel = [travelling(task) for task in batch]
        before = keys_in(store)
        submit(self, batch, store, **how)
        added = keys_in(store) - before if len(batch) == 1 else None
        for task, (size, arrays) in zip(batch, travel, strict=True):
            lacking = [key for key in task.needs if key not in before]
            missing = frozenset(task.keys) - before
            submitted.append(Submitted(task, size, arrays, lacking, missing, added))

    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        without_report(patch)
        patch.setattr(Processes, "submit", watched)
        write_table(folder)
        write_grid(folder, LEARNED)
        assert run_grid(folder) == 0
        write_grid(folder, PAIRS)
        assert run_grid(folder, out="pairs") == 0
    return Run(submitted, FolderStore(folder / "store"))


def kinds() -> Iterator[type]:
    """All classes of the pipeline that have a stage and can compute, but for the contract."""
    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if module.name.endswith("__main__"):
            continue
        for _, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            defined_here = cls.__module__ == module.name and cls is not Task
            if defined_here and hasattr(cls, "stage") and hasattr(cls, "compute"):
                yield cls


def test_every_kind_of_task_was_there(run):
    names = {cls.__name__ for cls in kinds()}
    assert names >= {"EncodeTask", "FitTask", "CombineTask", "ProbeTask", "AttentionTask"}
    assert {type(submitted.task).__name__ for submitted in run.tasks} == names
    encoding = [made.task for made in run.tasks if isinstance(made.task, EncodeTask | ShardTask)]
    forms = chain.from_iterable(task.forms for task in encoding)
    encoders = {form.component.name for form in forms}
    assert encoders >= {"mean_colour", "small_vgg", "bow", "word2vec"}


def test_every_kind_has_a_stage_of_its_name(run):
    stages = [cls.stage for cls in kinds()]
    assert all(isinstance(stage, str) and stage for stage in stages)
    assert len(set(stages)) == len(stages)


def test_tasks_say_of_themselves_what_the_contract_asks(run):
    for submitted in run.tasks:
        task = submitted.task
        assert len(set(task.keys)) == len(task.keys) >= 1
        for key in (*task.keys, *task.needs):
            assert KEY.fullmatch(key), submitted.name
        assert not set(task.keys) & set(task.needs)
        assert isinstance(task.label, str)
        assert task.label
        assert isinstance(task.memory, float)
        assert task.memory >= 0
        assert isinstance(task.all_cores, bool)
        assert task.label in task.doing or task.counted
        assert task.work > 0
        assert isinstance(task.like, str)
        assert task.counted in ("", "samples")
        hash(task.together)


def test_keys_are_those_of_the_entries_that_it_puts_into_the_store(run):
    computed = {submitted.name[0] for submitted in run.tasks if submitted.added}
    assert computed == {cls.__name__ for cls in kinds()}
    for submitted in run.tasks:
        assert all(run.store.at(key) is not None for key in submitted.task.keys), submitted.name
        if submitted.added is not None:
            assert submitted.added == submitted.missing, submitted.name


def test_what_it_needs_is_there_when_it_begins(run):
    for submitted in run.tasks:
        assert submitted.lacking == [], submitted.name


def test_a_task_that_travelled_finds_all_it_needs_in_the_store(run):
    for submitted in run.tasks:
        arrived = pickle.loads(pickle.dumps(submitted.task))
        outcomes = arrived.compute(run.store)
        assert set(outcomes) == set(submitted.task.keys)
        for outcome in outcomes.values():
            assert isinstance(outcome, Done), (submitted.name, outcome)
            assert outcome.reused, submitted.name


def test_no_array_travels(run):
    """But for the empty ones that stand for the rows of a fold."""
    for submitted in run.tasks:
        assert [array.shape for array in submitted.arrays if array.size] == [], submitted.name


def test_tasks_are_small(run):
    largest = max(run.tasks, key=lambda submitted: submitted.bytes)
    assert largest.bytes < LARGEST, largest.name
