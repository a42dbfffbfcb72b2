"""Carrying out a plan: what the store lacks and nothing else, and failures by their first cause."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.parse import read_grid
from pipeline.engine.processes import Processes
from pipeline.engine.progress import silence
from pipeline.engine.task import Done, Failed
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import encoded, run_plan
from pipeline.plan.load import load
from pipeline.plan.plan import make_plan
from tests.support.comparisons import comparison_of
from tests.support.tiny import GRID, MeanColour, register, write_grid, write_table

STACKING = GRID.replace("[mean, product]", "[mean, stacking]")


class Watched(Processes):
    """Computes in this process, and notes what it was given."""

    def __init__(self) -> None:
        super().__init__(1)
        self.labels: list[tuple[str, str]] = []

    def submit(self, batch, store, *, alone, may_be_left=False):
        self.labels += [(task.stage, task.label) for task in batch]
        super().submit(batch, store, alone=alone, may_be_left=may_be_left)


def watched(folder: Path, grid: str = STACKING) -> Comparison:
    return comparison_of(write_grid(folder, grid), engine=Watched())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path)
    return tmp_path


def test_everything_is_computed_once_and_then_found(folder):
    comparison = watched(folder)
    plan = make_plan(comparison)
    first = run_plan(plan, comparison)
    stages = {stage for stage, _ in comparison.engine.labels}
    assert stages == {"Encoding", "Features", "Fits", "Combinations"}
    assert set(first.units) == {unit.key for unit in plan.units}
    assert set(first.features) == set(plan.features)
    assert len(first.combinations) == 3  # the mean learns nothing, and costs nothing
    comparison.engine.labels.clear()
    second = run_plan(plan, comparison)
    assert comparison.engine.labels == []
    assert second.features == {}
    outcomes = [*second.units.values(), *second.combinations.values()]
    assert all(isinstance(outcome, Done) and outcome.reused for outcome in outcomes)


def test_what_was_lost_is_computed_again_to_the_bit_and_nothing_else(folder):
    comparison = watched(folder)
    plan = make_plan(comparison)
    run_plan(plan, comparison)
    unit = next(unit for unit in plan.units if unit.cell.fusion.name == "concat")
    before = np.array(comparison.store.load(unit.ingredients).arrays["probabilities"])
    shutil.rmtree(comparison.store.folder(unit.key))
    comparison.engine.labels.clear()
    MeanColour.calls.clear()
    outcomes = run_plan(plan, comparison)
    fits = [label for stage, label in comparison.engine.labels if stage == "Fits"]
    assert fits == [unit.cell.name]
    assert MeanColour.calls == []
    assert not any(stage == "Combinations" for stage, _ in comparison.engine.labels)
    assert not outcomes.units[unit.key].reused
    after = comparison.store.load(unit.ingredients).arrays["probabilities"]
    np.testing.assert_array_equal(after, before)


def test_features_that_fail_fail_what_needs_them_with_their_name_once(folder):
    comparison = watched(folder, STACKING.replace("[mean_colour]", "[mean_colour, broken]"))
    plan = make_plan(comparison)
    outcomes = run_plan(plan, comparison)
    error = "broken: RuntimeError: the weights melted"
    for unit in plan.units:
        outcome = outcomes.units[unit.key]
        assert isinstance(outcome, Failed) == ("broken" in unit.cell.name), unit.cell.name
        assert isinstance(outcome, Done) or outcome.error == error
    learning = [piece for piece in plan.combinations if piece.key in outcomes.combinations]
    assert len(learning) == 6
    for combination in learning:
        outcome = outcomes.combinations[combination.key]
        assert isinstance(outcome, Failed) == ("broken" in combination.cell.name)
        assert isinstance(outcome, Done) or outcome.error == error
    assert not any("broken +" in label for stage, label in comparison.engine.labels)


def test_nothing_to_encode_puts_nothing_into_the_store(folder):
    comparison = watched(folder)
    before = comparison.store.entries()
    assert encoded([], comparison) == {}
    assert comparison.store.entries() == before
    assert comparison.engine.labels == []


def test_a_comparison_of_other_cells_and_folds_has_the_same_rows_and_another_context(folder):
    whole = watched(folder)
    few = whole.of(whole.cells[:1], whole.folds[:1], silence)
    assert (few.cells, few.folds) == (whole.cells[:1], whole.folds[:1])
    assert (few.dataset, few.store, few.engine) == (whole.dataset, whole.store, whole.engine)
    assert few.seed == whole.seed == 3
    assert few.context.key != whole.context.key
    np.testing.assert_array_equal(few.context.labels, whole.context.labels)
    assert whole.context is whole.context


def test_folds_are_kept_in_the_store_where_that_is_asked_for(folder):
    comparison = watched(folder)
    before = comparison.store.entries()
    again = load(read_grid(folder / "grid.yaml"), comparison.store, Watched(), silence)
    assert len(comparison.store.entries()) == len(before) + 1
    assert again.context.key == comparison.context.key
    assert [cell.name for cell in again.cells] == [cell.name for cell in comparison.cells]
