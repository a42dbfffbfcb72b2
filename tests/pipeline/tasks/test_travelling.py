"""What travels to another process: small, and without a single array of the data set."""

from __future__ import annotations

import io
import pickle
import re
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from pipeline.engine.processes import Processes
from pipeline.engine.task import Task
from pipeline.followup.attention_task import AttentionTask
from pipeline.followup.probe_task import ProbeTask
from pipeline.tasks.combination import CombineTask
from pipeline.tasks.encode import EncodeTask
from pipeline.tasks.fit import FitTask
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
) + "learning_curve: [0.5]\n"
KINDS = {EncodeTask, FitTask, CombineTask, ProbeTask, AttentionTask}
LARGEST = 2**16  # bytes of one task of 36 rows, whose pictures are paths


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


def travelling(task: Task) -> tuple[int, list[np.ndarray]]:
    """Bytes of a task, and the arrays in it."""
    file = io.BytesIO()
    pickler = Arrays(file)
    pickler.dump(task)
    return len(file.getvalue()), pickler.arrays


@pytest.fixture(scope="module")
def submitted(tmp_path_factory) -> list[tuple[Task, int, list[np.ndarray]]]:
    """Every task of a whole run, with its bytes and arrays when it is handed to the engine."""
    folder, tasks, submit = tmp_path_factory.mktemp("run"), [], Processes.submit

    def watched(self, batch, store, *, alone):
        tasks.extend((task, *travelling(task)) for task in batch)
        submit(self, batch, store, alone=alone)

    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        without_report(patch)
        patch.setattr(Processes, "submit", watched)
        write_table(folder)
        write_grid(folder, LEARNED)
        assert run_grid(folder) == 0
    return tasks


def test_every_kind_of_task_was_there(submitted):
    assert {type(task) for task, _, _ in submitted} == KINDS
    encoding = [task for task, _, _ in submitted if isinstance(task, EncodeTask)]
    encoders = {form.component.name for task in encoding for form in task.forms}
    assert {"mean_colour", "small_vgg", "bow", "word2vec"} <= encoders


def test_no_array_travels(submitted):
    """But for the empty ones that stand for the rows of a fold."""
    for task, _, arrays in submitted:
        assert [array.shape for array in arrays if array.size] == [], (type(task), task.label)


def test_tasks_are_small(submitted):
    sizes = {(type(task).__name__, task.label): size for task, size, _ in submitted}
    assert max(sizes.values()) < LARGEST, max(sizes, key=sizes.get)
