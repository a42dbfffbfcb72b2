"""Frozen encoders by sample: only what no shard has is encoded, whatever happened to the store."""

from __future__ import annotations

import re
from itertools import chain

import numpy as np
import pytest

from features.block import Block
from pipeline.engine.task import Done, Failed
from pipeline.plan.execute import encoded
from pipeline.plan.plan import make_plan
from pipeline.store.__main__ import prune
from pipeline.store.folder import FolderStore
from pipeline.store.manifest import Entry
from pipeline.tasks.encoding import shard
from pipeline.tasks.encoding.shard import assembled, shard_tasks, shards_of
from tests.support.comparisons import comparison_of
from tests.support.tiny import GRID, MeanColour, register, write_grid, write_table

BOTH_FORMS = re.sub("fusion: .*", "fusion: [concat, {attention: {epochs: 1, width: 8}}]", GRID)


@pytest.fixture
def comparison(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path)
    return comparison_of(write_grid(tmp_path, BOTH_FORMS))


def pictures_of(comparison):
    """The frozen features of the pictures, by form."""
    features = make_plan(comparison).features.values()
    return {form.output: form for form in features if form.modality == "image"}


def tasks_of(comparison, forms):
    return shard_tasks(forms.values(), comparison.dataset, comparison.store)


def reopened(comparison):
    """As another run would find it."""
    return comparison_of(
        comparison.grid.folder / "grid.yaml", FolderStore(comparison.store.root)
    )


def values_of(form, comparison):
    block = form.load(comparison.store, np.arange(form.count))
    return np.asarray(block.values)


def test_both_forms_come_from_one_pass_over_the_samples_that_lack_them(comparison, monkeypatch):
    monkeypatch.setattr(shard, "SAMPLES", 16)
    forms = pictures_of(comparison)
    tasks = tasks_of(comparison, forms)
    assert [len(task.digests) for task in tasks] == [16, 16, 4]
    digests = comparison.dataset.modalities["image"].digests
    assert sorted(chain.from_iterable(task.digests for task in tasks)) == list(digests)
    assert all(sorted(form.output for form in task.forms) == ["pooled", "regions"]
               for task in tasks)
    outcomes = {}
    for task in tasks:
        outcomes |= task.compute(comparison.store)
    assert {type(outcome) for outcome in outcomes.values()} == {Done}
    for form in forms.values():
        outcome = assembled(form, comparison.dataset, comparison.store, outcomes)
        assert not outcome.reused
        assert assembled(form, comparison.dataset, comparison.store, {}).reused
        pictures = comparison.dataset.modalities["image"].samples
        at_once = form.encoder.transform([picture.read() for picture in pictures])
        assert np.array_equal(values_of(form, comparison), at_once.values)
    assert tasks_of(reopened(comparison), forms) == []


def test_a_form_that_some_samples_have_is_asked_for_the_others_alone(comparison):
    forms, store = pictures_of(comparison), comparison.store
    digests = comparison.dataset.modalities["image"].digests
    pictures = [picture.read() for picture in comparison.dataset.modalities["image"].samples[:10]]
    block = forms["pooled"].encoder.transform(pictures)
    shards_of(forms["pooled"], store).put(digests[:10], block, 1.0)
    by_outputs = {
        tuple(sorted(form.output for form in task.forms)): tuple(sorted(task.digests))
        for task in tasks_of(comparison, forms)
    }
    assert by_outputs == {("regions",): digests[:10], ("pooled", "regions"): digests[10:]}


def test_where_one_pass_fails_each_form_is_tried_by_itself(comparison, monkeypatch):
    forms, transform = pictures_of(comparison), MeanColour.transform

    def only_pooled(self, samples) -> Block:
        if self.output != "pooled":
            raise ValueError("no regions here")
        return transform(self, samples)

    monkeypatch.setattr(MeanColour, "transform", only_pooled)
    outcomes = encoded(forms.values(), comparison)
    assert isinstance(outcomes[forms["pooled"].key], Done)
    failed = outcomes[forms["regions"].key]
    assert isinstance(failed, Failed)
    assert failed.error == "ValueError: no regions here"
    assert failed.label == "mean_colour"
    monkeypatch.setattr(MeanColour, "transform", transform)
    outcomes = encoded(forms.values(), reopened(comparison))
    reused = {output: outcomes[form.key].reused for output, form in forms.items()}
    assert reused == {"pooled": True, "regions": False}


def test_a_task_whose_shard_another_run_has_put_encodes_nothing(comparison):
    forms = pictures_of(comparison)
    (task,) = tasks_of(comparison, forms)
    (same,) = tasks_of(comparison, forms)
    task.compute(comparison.store)
    MeanColour.calls.clear()
    outcomes = same.compute(FolderStore(comparison.store.root))
    assert all(outcome.reused for outcome in outcomes.values())
    assert MeanColour.calls == []


@pytest.mark.parametrize("how", ["damaged", "removed", "merged"])
def test_what_happened_to_the_shards_is_mended(comparison, monkeypatch, how):
    monkeypatch.setattr(shard, "SAMPLES", 12)
    form = pictures_of(comparison)["pooled"]
    encoded([form], comparison)
    before = values_of(form, comparison)
    key = tasks_of(comparison_of(comparison.grid.folder / "grid.yaml",
                                 FolderStore(comparison.store.root / "elsewhere")),
                   {"pooled": form})[1].keys[0]
    if how == "damaged":
        (comparison.store.folder(key) / "values.npy").write_bytes(b"no array")
    elif how == "removed":
        assert comparison.store.remove(key, lambda key: True)
    else:
        assert len(prune(comparison.store)) == 3
    MeanColour.calls.clear()
    again = reopened(comparison)
    outcome = encoded([form], again)[form.key]
    assert MeanColour.calls == ([] if how == "merged" else [12])
    assert not outcome.reused
    assert np.array_equal(values_of(form, again), before)
    MeanColour.calls.clear()
    assert encoded([form], reopened(comparison))[form.key].reused


def test_features_of_the_old_form_are_used_as_they_are(comparison):
    """Before, all samples of a data set were one entry under the same key."""
    form = pictures_of(comparison)["pooled"]
    values = np.full((form.count, 3), 7, dtype=np.float32)
    comparison.store.get(form.ingredients, lambda: Entry({"values": values}, {"label": "old"}))
    outcome = encoded([form], comparison)[form.key]
    assert outcome.reused
    assert MeanColour.calls == []
    assert np.array_equal(values_of(form, comparison), values)


def test_features_that_are_removed_while_they_are_needed_are_an_error(comparison):
    form = pictures_of(comparison)["pooled"]
    outcome = assembled(form, comparison.dataset, comparison.store, {})
    assert isinstance(outcome, Failed)
    assert "removed from the store while they were needed" in outcome.error
