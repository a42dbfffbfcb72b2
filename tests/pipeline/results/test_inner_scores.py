"""Scores on inner folds in whole runs: whose they are, what they cost, what may not leak there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.engine.processes import Processes
from pipeline.metrics import METRICS
from pipeline.plan.execute import run_plan
from pipeline.plan.plan import make_plan
from pipeline.results import inner_scores as module
from pipeline.results.inner_scores import with_inner_scores
from pipeline.results.record import scored_record
from pipeline.results.scores import Scores
from pipeline.store.manifest import Entry
from pipeline.tasks import inner
from pipeline.tasks.combination import inner_predictions
from reports.analysis.procedures import procedures
from tests.support.comparisons import comparison_of
from tests.support.tiny import GRID, register, write_grid, write_table

ONE_SETTING = GRID.replace("C: [1, 100]", "C: [10]")
LEARNING = GRID.replace("[mean, product]", "[mean, product, stacking, weighted]")


class Watched(Processes):
    """Computes in this process, and notes what it was given."""

    def __init__(self) -> None:
        super().__init__(1)
        self.labels: list[str] = []

    def submit(self, batch, store, *, alone, may_be_left=False):
        self.labels += [task.label for task in batch if isinstance(task, inner.InnerTask)]
        super().submit(batch, store, alone=alone, may_be_left=may_be_left)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path)
    return tmp_path


def compared(folder, grid):
    """The comparison of a grid, its plan, and the record with scores on inner folds."""
    comparison = comparison_of(write_grid(folder, grid), engine=Watched())
    plan = make_plan(comparison)
    scores = Scores(plan, run_plan(plan, comparison), comparison)
    record = scored_record(comparison, scores, "")
    return comparison, plan, with_inner_scores(record, scores, plan, comparison).record


def inner_scores(record):
    return {(fold.cell, fold.fold): fold.inner_score for fold in record.folds}


def test_predictions_that_a_result_holds_are_scored_fold_by_fold_and_cost_nothing(folder):
    comparison, plan, record = compared(folder, GRID)
    assert comparison.engine.labels == []
    labels, metric = comparison.dataset.labels, METRICS[comparison.grid.metric]
    for unit in (unit for unit in plan.units if unit.keeps_inner):
        predicted = comparison.store.load(unit.ingredients).arrays["inner"]
        by_hand = [
            metric(labels[test], predicted[np.searchsorted(unit.fold.train, test)])
            for _, test in unit.fold.inner
        ]
        assert inner_scores(record)[unit.cell.name, unit.fold.fold] == np.mean(by_hand)
    assert procedures(record)["all"].left_out == ()


def test_what_leaves_training_rows_out_by_itself_is_not_fitted_there_again(folder):
    """Attention's own folds are not the inner ones, but it says something of every row."""
    attending = "attention: {epochs: 2, width: 4}"
    grid = GRID.replace("[majority,", f"[{{{attending}}}, {{gated: {{epochs: 2}}}}, majority,")
    comparison, plan, record = compared(folder, grid)
    names = {cell.fusion.name: cell.name for cell in comparison.cells}
    assert names["attention"] not in " ".join(comparison.engine.labels)
    labels, metric = comparison.dataset.labels, METRICS[comparison.grid.metric]
    units = [unit for unit in plan.units if unit.cell.name == names["attention"]]
    whole = {fold.fold: fold for fold in comparison.folds}
    assert len(units) == len(whole)
    for unit in units:
        entry = comparison.store.load(unit.ingredients)
        predicted = entry.arrays["inner"]
        assert predicted.shape == (len(unit.fold.train), len(comparison.dataset.classes))
        by_hand = [
            metric(labels[test], predicted[np.searchsorted(unit.fold.train, test)])
            for _, test in whole[unit.fold.fold].inner
        ]
        assert inner_scores(record)[unit.cell.name, unit.fold.fold] == np.mean(by_hand)
        assert entry.facts["temperature"] is not None
    assert names["attention"] in procedures(record)["both"].candidates


def test_a_cell_of_one_setting_is_fitted_there_as_if_it_had_been_chosen(folder):
    """Two settings that hardly differ are predicted on inner folds in choosing one of them."""
    one_setting, _, record = compared(folder, ONE_SETTING)
    assert set(one_setting.engine.labels) == {
        f"{cell.name}, inner folds"
        for cell in one_setting.cells
        if cell.fusion.name in ("image_only", "text_only")  # concat chooses its weights
    }
    two = ONE_SETTING.replace("C: [10]", "C: [10, 10.00001]")
    expected = inner_scores(compared(folder, two)[2])
    for (cell, fold), score in inner_scores(record).items():
        if cell != "majority":
            assert score == expected[cell, fold], cell
    again = compared(folder, ONE_SETTING)[0]
    assert again.engine.labels == []  # they were kept


def test_a_rule_that_learns_predicts_rows_it_has_not_learned_from(folder):
    """Whatever the labels of an inner fold, its rows are predicted the same."""
    comparison, plan, record = compared(folder, LEARNING)
    assert {cell for (cell, _), score in inner_scores(record).items() if score is None} == {
        "majority"
    }
    for combination in (piece for piece in plan.combinations if piece.fold.fold == 0):
        entries = [
            Entry({"inner": comparison.store.load(unit.ingredients).arrays["inner"]}, {})
            for unit in combination.units
        ]
        before = inner_predictions(combination, entries, comparison.context)
        _, left_out = combination.fold.inner[0]
        labels = comparison.context.labels.copy()
        labels[left_out] = (labels[left_out] + 1) % 3
        after = inner_predictions(combination, entries, replace(comparison.context, labels=labels))
        rows = np.isin(combination.fold.train, left_out)
        assert np.array_equal(before[rows], after[rows]), combination.cell.name
        if combination.estimator.learns_combination:
            assert not np.array_equal(before[~rows], after[~rows])


def test_what_fails_there_is_left_out_of_the_choice_and_said(folder, monkeypatch):
    choose = inner.choose

    def fails_for_pictures(unit, *rest):
        if unit.cell.fusion.name == "image_only":
            raise RuntimeError("no memory")
        return choose(unit, *rest)

    monkeypatch.setattr(inner, "choose", fails_for_pictures)
    record = compared(folder, ONE_SETTING)[2]
    choosing = procedures(record)
    assert [name for name in choosing["single"].left_out if "image_only" not in name] == []
    assert {name.split(" / ")[1] for name in choosing["both"].left_out} == {"late", "late(product)"}
    assert any(
        "on inner folds failed" in line and "image_only" in line and "no memory" in line
        for line in record.warnings
    )


def test_what_other_runs_left_in_the_store_has_no_part_in_the_choice(folder):
    """The same grid on a fresh store and on one where all cells were fitted on inner folds."""
    fresh = inner_scores(compared(folder, ONE_SETTING)[2])
    comparison = comparison_of(write_grid(folder, ONE_SETTING), engine=Watched())
    plan = make_plan(comparison)
    scores = Scores(plan, run_plan(plan, comparison), comparison)
    asked = next(cell.name for cell in comparison.cells if cell.fusion.name == "text_only")
    by_name = module._Inner(plan, scores, comparison, [asked]).scores()
    assert {key[0] for key in by_name} == {
        asked,
        *(cell.name for cell in comparison.cells if cell.fusion.name == "concat"),
    }
    assert all(fresh[cell, fold] == score for (cell, _, fold), score in by_name.items())
