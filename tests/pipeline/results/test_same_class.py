"""Extra metrics in whole runs: whose they are, what they cost, and what they are by definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.block import unit_rows
from pipeline.engine.task import Done, NotReached
from pipeline.plan.execute import run_plan
from pipeline.plan.plan import make_plan
from pipeline.results import same_class as module
from pipeline.results.record import scored_record
from pipeline.results.same_class import with_same_class
from pipeline.results.scores import Scores
from pipeline.results.unreached import Unasked
from pipeline.tasks import same_class as task_module
from pipeline.tasks.unit import result_of
from pipeline.tasks.views import outer_views
from tests.support.comparisons import comparison_of
from tests.support.tiny import (
    GRID,
    MeanColour,
    register,
    run_grid,
    scores,
    write_grid,
    write_table,
)

BY_FEATURES, BY_PROBABILITIES = (
    f"same_class_hit_at_1_{space}" for space in ("features", "probabilities")
)
EXTRA = f"extra_metrics: [{BY_FEATURES}, {BY_PROBABILITIES}]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    register(monkeypatch)
    write_table(tmp_path)
    return tmp_path


def compared(folder: Path, grid: str = GRID + EXTRA):
    """The comparison of a grid, its plan, its outcomes, and what came of its extra metrics."""
    comparison = comparison_of(write_grid(folder, grid))
    plan = make_plan(comparison)
    outcomes = run_plan(plan, comparison)
    record = scored_record(comparison, Scores(plan, outcomes, comparison), "")
    return comparison, plan, outcomes, with_same_class(record, plan, comparison)


def hits(train: np.ndarray, test: np.ndarray, known: np.ndarray, labels: np.ndarray) -> float:
    """Share of test vectors whose nearest training vector has their class."""
    cosines = unit_rows(test) @ unit_rows(train).T
    return float(np.mean(known[cosines.argmax(axis=1)] == labels))


def test_features_are_scaled_and_weighted_as_the_classifier_gets_them(folder):
    comparison, plan, _, (record, _, _) = compared(folder)
    of_cells = {(fold.cell, fold.fold): fold.scores for fold in record.folds}
    for unit in plan.units:
        if "concat" not in unit.cell.name:
            continue
        chosen = result_of(unit, comparison.store).facts["parameters"]
        blocks = outer_views(unit, comparison.context, comparison.store).blocks()
        train, test = unit.fold.train, unit.fold.test
        parts = []
        for modality, share in (("image", 1 - chosen["weight"]), ("text", chosen["weight"])):
            rows = blocks[modality].array()
            # Dense columns are centred, sparse ones are not.
            rows = rows.toarray() if modality == "text" else rows - rows[train].mean(axis=0)
            scale = np.sqrt(np.mean(np.sum(rows[train] ** 2, axis=1)))
            parts.append(rows / scale * np.sqrt(share))
        vectors, labels = np.hstack(parts), comparison.dataset.labels
        expected = hits(vectors[train], vectors[test], labels[train], labels[test])
        score = of_cells[unit.cell.name, unit.fold.fold][BY_FEATURES]
        assert score == pytest.approx(expected, abs=1.01 / len(test)), "a tie may differ"


def test_probabilities_of_training_rows_are_out_of_fold(folder):
    comparison, plan, _, (record, _, _) = compared(folder)
    of_cells = {(fold.cell, fold.fold): fold.scores for fold in record.folds}
    labels = comparison.dataset.labels
    for unit in plan.units:
        if "text_only" in unit.cell.name:
            arrays = result_of(unit, comparison.store).arrays
            train, test = unit.fold.train, unit.fold.test
            expected = hits(
                np.asarray(arrays["inner"]), np.asarray(arrays["probabilities"]),
                labels[train], labels[test],
            )
            score = of_cells[unit.cell.name, unit.fold.fold][BY_PROBABILITIES]
            assert score == pytest.approx(expected, abs=1.01 / len(test))


def test_cells_without_features_of_their_own_have_scores_by_probabilities_alone(folder):
    record = compared(folder)[-1].record
    assert [metric.name for metric in record.metrics][-2:] == [BY_FEATURES, BY_PROBABILITIES]
    for fold in record.folds:
        has_features = any(name in fold.cell for name in ("image_only", "text_only", "concat"))
        assert np.isfinite(fold.scores[BY_FEATURES]) == has_features, fold.cell
        # It has nothing to choose, and so no predictions on inner folds.
        has_inner = "majority" not in fold.cell
        assert np.isfinite(fold.scores[BY_PROBABILITIES]) == has_inner, fold.cell
        if "late" in fold.cell:
            assert fold.scores[BY_PROBABILITIES] > 0.5


def test_results_that_are_stored_are_neither_fitted_nor_encoded_again(folder, monkeypatch):
    _, plan, _, (record, outcomes, _) = compared(folder, GRID)
    assert outcomes == {}
    assert all(not name.startswith("same_class") for name in record.folds[0].scores)
    calls, keys = list(MeanColour.calls), [unit.key for unit in plan.units]
    _, plan, made, (record, outcomes, _) = compared(folder)
    assert [unit.key for unit in plan.units] == keys
    assert all(outcome.reused for outcome in made.units.values())
    assert MeanColour.calls == calls
    assert outcomes
    assert all(isinstance(outcome, Done) and not outcome.reused for outcome in outcomes.values())
    monkeypatch.setattr(task_module, "same_class", None)
    again = compared(folder)[-1]
    assert all(outcome.reused for outcome in again.outcomes.values())
    assert again.record.folds[0].scores == pytest.approx(record.folds[0].scores, nan_ok=True)


def test_what_fails_is_said_and_leaves_the_rest(folder, monkeypatch):
    def broken(*_):
        raise ValueError("nothing can be compared")

    monkeypatch.setattr(task_module, "_features", broken)
    record = compared(folder)[-1].record
    (warning,) = [text for text in record.warnings if "same class" in text]
    assert warning.startswith("9 pieces of work on hits of the same class failed")
    assert "nothing can be compared" in warning
    assert all(np.isnan(fold.scores[BY_FEATURES]) for fold in record.folds)
    rest = [fold.scores[BY_PROBABILITIES] for fold in record.folds if "late" in fold.cell]
    assert len(rest) == 6
    assert np.isfinite(rest).all()


def test_what_was_not_reached_in_time_is_said(folder, monkeypatch):
    comparison = comparison_of(write_grid(folder, GRID + EXTRA))
    plan = make_plan(comparison)
    scored = scored_record(comparison, Scores(plan, run_plan(plan, comparison), comparison), "")
    monkeypatch.setattr(
        type(comparison),
        "run",
        lambda _, tasks, known: dict.fromkeys((task.keys[0] for task in tasks), NotReached()),
    )
    record, _, left = with_same_class(scored, plan, comparison)
    assert set(left) == {cell.name for cell in comparison.cells} - {"majority"}
    (sentence,) = Unasked(uncompared=left).sentences()
    assert sentence.startswith("hits of the same class of “mean_colour / image_only")
    assert not [text for text in record.warnings if "same class" in text]
    assert all(np.isnan(fold.scores[BY_FEATURES]) for fold in record.folds)


def test_features_that_the_store_has_no_longer_are_encoded_again(folder, monkeypatch):
    """They are asked for where something is to be compared, and nowhere else."""
    asked = []
    monkeypatch.setattr(module, "encode_lost", lambda units, _: asked.append(len(units)))
    compared(folder)
    compared(folder)
    assert asked == [9], "three cells with features on three folds, once"


def test_columns_and_the_report_have_them(folder):
    write_grid(folder, GRID + EXTRA)
    assert run_grid(folder) == 0
    rows = scores(folder)
    late = [row for row in rows if "late" in row["fusion"]]
    assert all(row[BY_FEATURES] == "" != row[BY_PROBABILITIES] for row in late)
    assert "extra_metrics" in (folder / "out" / "grid.lock.yaml").read_text()
    report = (folder / "out" / "report.md").read_text()
    assert "same class, hit at 1 (features)" in report
    assert "- Same class: A test row is compared by cosine" in report
