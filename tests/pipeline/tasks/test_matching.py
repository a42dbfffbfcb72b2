"""Pairs of distinct samples, and what decides the key of a result of ranks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.block import Block
from models.shared_space.projections import CanonicalCorrelation
from models.views import Views
from pipeline.engine.task import Done
from pipeline.plan.execute import run_plan
from pipeline.plan.plan import make_plan
from pipeline.store.checks.layouts import bounds_problem
from pipeline.store.manifest import Entry
from pipeline.tasks.matching import Pairs
from pipeline.tasks.unit import result_of
from tests.support.comparisons import comparison_of
from tests.support.tiny import register
from tests.whole_runs.test_retrieval import GRID, write_pairs


class Corners:
    """A space in which each distinct sample lies on an axis of its own."""

    def project(self, modality: str, block: Block) -> np.ndarray:
        return np.asarray(block.array(), dtype=np.float32)


def test_identical_samples_are_one_and_all_their_partners_are_relevant():
    values = np.eye(4, dtype=np.float32)
    # Pictures 0, 0, 1, 2; texts 0, 1, 0, 3; the last row has no text.
    image = Block(values, np.array([0, 0, 1, 2, 3]))
    text = Block(values, np.array([0, 1, 0, 3, -1]))
    pairs = Pairs.of(Views(image, text))
    assert {side: rows.tolist() for side, rows in pairs.rows.items()} == {
        "image": [0, 2, 3],
        "text": [0, 1, 3],
    }
    ranked = pairs.ranked(Corners(), nearest=1)  # text 0 lies at picture 0, text 1 at picture 1
    assert ranked["text_to_image"].sizes.tolist() == [2, 1, 1]
    assert ranked["image_to_text"].sizes.tolist() == [2, 1, 1]
    assert ranked["text_to_image"].first.tolist() == [1, 3, 3]
    assert ranked["text_to_image"].nearest[:2, 0].tolist() == [0, 1]


def test_rows_of_which_none_is_a_pair_are_told():
    values, nothing = np.eye(2, dtype=np.float32), np.array([-1, -1])
    with pytest.raises(ValueError, match="none of 2 test rows has both"):
        Pairs.of(Views(Block(values, np.arange(2)), Block(values, nothing)))


def test_pairs_that_were_learned_from_find_each_other():
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(50, 6)).astype(np.float32)
    views = Views(Block.of(rows), Block.of(rows @ draw.normal(size=(6, 6)).astype(np.float32)))
    space = CanonicalCorrelation(dimensions=6, regularisation=0.01).fit(views)
    ranked = Pairs.of(views).ranked(space)
    assert all(np.mean(of.first == 1) > 0.9 for of in ranked.values())


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("kernel_cca: {regularisation: 0.1}", "kernel_cca: {regularisation: 0.2}", 1),
        ("inner: 2", "inner: 3", 2),  # kernel_cca has nothing to choose here
        ("task: retrieval", "task: retrieval\ntuning_metric: average_precision", 2),
        ("task: retrieval", "task: retrieval\nmetric: hit_at_1", 0),
    ],
)
def test_a_key_holds_what_decides_the_ranks(
    old: str, new: str, changes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    register(monkeypatch)
    path = write_pairs(tmp_path)
    before = make_plan(comparison_of(path)).units
    path.write_text(GRID.replace(old, new))
    after = make_plan(comparison_of(path)).units
    changed = {
        unit.cell.fusion.name
        for unit, other in zip(before, after, strict=True)
        if unit.key != other.key
    }
    assert len(changed) == changes


def test_stored_ranks_that_cannot_be_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    register(monkeypatch)
    comparison = comparison_of(write_pairs(tmp_path))
    plan = make_plan(comparison)
    outcomes = run_plan(plan, comparison)
    assert all(isinstance(outcome, Done) for outcome in outcomes.units.values())
    entry = result_of(plan.units[0], comparison.store)
    assert bounds_problem("ranks", entry.arrays, entry.facts) is None
    count = len(entry.arrays["text_to_image_candidates"])
    for rank in (0, count + 1):
        wrong = {**entry.arrays, "text_to_image_ranks": np.array([rank])}
        assert bounds_problem("ranks", wrong, entry.facts) == "it has ranks of no candidates"
    ends = {**entry.arrays, "image_to_text_ends": np.array([4, 2])}
    assert bounds_problem("ranks", ends, entry.facts) == "it has ranks of no candidates"


def test_stored_ranks_of_other_rows_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    register(monkeypatch)
    comparison = comparison_of(write_pairs(tmp_path))
    unit = make_plan(comparison).units[0]
    run_plan(make_plan(comparison), comparison)
    entry = result_of(unit, comparison.store)
    name = "text_to_image_queries"
    foreign = {**entry.arrays, name: np.full_like(entry.arrays[name], unit.fold.train[0])}
    comparison.store.remove(unit.key, lambda _: True)
    comparison.store.get(unit.ingredients, lambda: Entry(foreign, entry.facts))
    outcome = run_plan(make_plan(comparison), comparison).units[unit.key]
    assert isinstance(outcome, Done)
    assert not outcome.reused
    again = result_of(unit, comparison.store)
    np.testing.assert_array_equal(again.arrays[name], entry.arrays[name])
