"""Features as tasks: one pass for several forms, frozen encoders first, each fold by itself."""

from __future__ import annotations

import re
from itertools import chain

import numpy as np
import pytest

from features.block import Block
from pipeline.engine.task import Done, Failed
from pipeline.plan.plan import make_plan
from pipeline.tasks.encoding import requests
from pipeline.tasks.encoding.encode import encode_tasks
from pipeline.tasks.encoding.shard import shard_tasks
from tests.support.comparisons import comparison_of
from tests.support.tiny import GRID, MeanColour, register, write_grid, write_table

BOTH_FORMS = re.sub("fusion: .*", "fusion: [concat, {attention: {epochs: 1, width: 8}}]", GRID)


@pytest.fixture
def comparison(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path)
    return comparison_of(write_grid(tmp_path, BOTH_FORMS))


@pytest.fixture
def tasks(comparison):
    comparison.context.put(comparison.store)
    features = make_plan(comparison).features.values()
    return encode_tasks(features, comparison.dataset, comparison.store)


@pytest.fixture
def pictures(tasks):
    """The task of the pictures, in both forms."""
    return next(task for task in tasks if task.label == "mean_colour")


def outputs_of(task) -> list[str]:
    return sorted(form.output for form in task.forms)


def test_every_form_is_in_one_task_and_frozen_encoders_come_first(comparison, tasks, pictures):
    keys = list(chain.from_iterable(task.keys for task in tasks))
    assert len(keys) == len(set(keys))
    assert set(keys) == set(make_plan(comparison).features)
    # The counts of words that the folds' vocabularies are drawn from are frozen too.
    assert [task.all_cores for task in tasks] == [True] * 2 + [False] * (len(tasks) - 2)
    assert pictures in tasks[:2]
    assert outputs_of(pictures) == ["pooled", "regions"]
    (counts,) = (task for task in tasks[:2] if task is not pictures)
    assert all(task.needs == counts.keys for task in tasks[2:])


def test_a_learned_encoder_learns_from_the_rows_of_its_split_alone(comparison, tasks):
    learned = [task for task in tasks if not task.all_cores]
    assert len(learned) == 3 * 3  # the outer training rows of three folds, and two inner splits
    for task in tasks:
        assert {type(outcome) for outcome in task.compute(comparison.store).values()} == {Done}
    texts, sizes = comparison.dataset.texts, set()
    for task in learned:
        (form,) = task.forms
        rows = form.with_rows(comparison.context).train
        words = set(chain.from_iterable(texts[row].split() for row in rows))
        block = form.load(comparison.store, np.arange(form.count))
        assert (len(block), block.width) == (36, len(words))
        sizes.add(len(rows))
    assert sizes == {24, 12}


@pytest.mark.parametrize("encode", [encode_tasks, shard_tasks])
def test_a_machine_with_other_weights_puts_nothing_under_the_key(encode, comparison, monkeypatch):
    comparison.context.put(comparison.store)
    features = make_plan(comparison).features.values()
    tasks = encode([form for form in features if form.by_sample], comparison.dataset,
                   comparison.store)
    (pictures,) = (task for task in tasks if task.label == "mean_colour")
    monkeypatch.setattr(requests, "_CHECKED", set())
    monkeypatch.setattr(MeanColour, "weights", "other")
    with pytest.raises(ValueError, match=r"mean_colour would .*: weights is other there"):
        pictures.compute(comparison.store)
    assert not any(map(comparison.store.holds, pictures.keys))
    monkeypatch.setattr(MeanColour, "weights", "none")
    assert {type(outcome) for outcome in pictures.compute(comparison.store).values()} == {Done}


def test_where_one_pass_fails_each_form_is_tried_by_itself(comparison, pictures, monkeypatch):
    transform = MeanColour.transform

    def only_pooled(self, samples) -> Block:
        if self.output != "pooled":
            raise ValueError("no regions here")
        return transform(self, samples)

    monkeypatch.setattr(MeanColour, "transform", only_pooled)
    outcomes = pictures.compute(comparison.store)
    by_output = {form.output: outcomes[form.key] for form in pictures.forms}
    assert isinstance(by_output["pooled"], Done)
    assert isinstance(by_output["regions"], Failed)
    assert by_output["regions"].error == "ValueError: no regions here"
    monkeypatch.setattr(MeanColour, "transform", transform)
    outcomes = pictures.compute(comparison.store)
    reused = {form.output: outcomes[form.key].reused for form in pictures.forms}
    assert reused == {"pooled": True, "regions": False}


def test_a_context_that_is_gone_is_said(comparison, tasks):
    for entry in comparison.store.entries():
        if entry.name == comparison.context.key:
            entry.rename(comparison.store.root / "elsewhere")
    with pytest.raises(FileNotFoundError, match="rows and folds of this run were removed"):
        tasks[-1].compute(comparison.store)
