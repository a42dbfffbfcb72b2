"""Rows without a label: for the fusions that learn from them, never scored, apart from groups."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.config.grid import Split
from pipeline.data.build import build
from pipeline.data.card import card
from pipeline.data.dataset import DatasetError
from pipeline.data.row_check import RowRules
from pipeline.folds.draw import draw
from pipeline.plan.plan import make_plan
from pipeline.store.keys import key_of
from pipeline.tasks import views as fold_views
from tests.support.comparisons import comparison_of
from tests.support.samples import small_samples
from tests.support.tiny import (
    GRID,
    read_rows,
    register,
    run_grid,
    without_report,
    write_grid,
    write_rows,
    write_table,
)

UNLABELLED = list(range(0, 36, 5))


def partly(**changes):
    samples = small_samples(**changes)
    return small_samples(**changes, labels=[None if row in UNLABELLED else label
                                            for row, label in enumerate(samples.labels)])


def test_a_row_without_a_label_is_bad_unless_it_is_asked_for(store):
    with pytest.raises(DatasetError, match="row 6: the label is missing"):
        build(partly(), ("text",), RowRules("fail"), store)
    dataset = build(partly(), ("text",), RowRules("fail", keep_unlabelled=True), store)
    assert list(np.flatnonzero(dataset.labels < 0)) == UNLABELLED
    assert dataset.classes == ("car", "cat", "dog")
    assert dataset.labels[1] == dataset.classes.index("cat")
    assert "8 of 36 rows have no label" in dataset.notes[-1]
    assert card(dataset)["classes"] == "3, of 9 to 10 rows"
    labelled = build(small_samples(), ("text",), RowRules("fail"), store)
    assert dataset.fingerprint != labelled.fingerprint


@pytest.mark.parametrize("split", [Split(folds=3, inner=2), Split(holdout=0.3, inner=2)])
@pytest.mark.parametrize("group", [None, "pair"])
def test_no_split_scores_them_or_has_their_group_on_both_sides(store, split, group):
    data = build(partly(), ("text",), RowRules("fail", group, keep_unlabelled=True), store)
    used = set()
    for fold in draw(data, split, 0):
        for train, test, unlabelled in fold.splits():
            assert not set(UNLABELLED) & (set(train) | set(test))
            assert set(unlabelled) <= set(UNLABELLED)
            used |= set(unlabelled)
            for rows in (test, fold.test):
                assert data.groups is None or not set(data.groups[unlabelled]) & set(
                    data.groups[rows]
                )
        assert data.groups is not None or set(fold.outer.unlabelled) == set(UNLABELLED)
    assert used == set(UNLABELLED) if split.folds else used


def test_the_official_test_part_is_never_learned_from(store):
    parts = ["test" if row % 3 == 0 else "train" for row in range(36)]
    data = build(partly(split=parts), ("text",), RowRules("fail", keep_unlabelled=True), store)
    (fold,) = draw(data, Split(official=True, inner=2), 0)
    assert set(fold.outer.unlabelled) == {row for row in UNLABELLED if row % 3}
    assert not set(UNLABELLED) & set(fold.test)


# --- whole runs

FUSIONS = (
    "fusion: [majority, image_only, text_only, concat, semi_supervised, label_propagation, "
    "{cca: {dimensions: 2}}]"
)
KEEPING = re.sub("fusion: .*", FUSIONS, GRID).replace(
    "id: sku", "id: sku, group: pair, keep_unlabelled: true"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    write_table(tmp_path)
    rows = [[*row, f"pair{number // 2}"] for number, row in enumerate(read_rows(tmp_path))]
    for row in UNLABELLED:
        rows[row][3] = ""
    write_rows(tmp_path, rows, "pair")
    write_grid(tmp_path, KEEPING)
    return tmp_path


def predictions(folder, out="out"):
    """id, fold and class probabilities by cell."""
    table = pq.read_table(folder / out / "predictions.parquet").drop_columns(["label", "predicted"])
    cells = table["cell"].to_pylist()
    return {
        cell: table.filter([name == cell for name in cells]).drop_columns(["cell"]).to_pylist()
        for cell in dict.fromkeys(cells)
    }


def changed_cells(units, others):
    """Names of the cells whose keys differ between two plans of the same cells."""
    return {
        unit.cell.name
        for unit, other in zip(units, others, strict=True)
        if key_of(unit.ingredients) != key_of(other.ingredients)
    }


def uses(cell):
    return any(name in cell for name in ("semi_supervised", "label_propagation", "cca"))


def test_other_fusions_predict_as_if_they_were_not_there(folder):
    assert run_grid(folder) == 0
    with_them = predictions(folder)
    ids = {f"id{row}" for row in UNLABELLED}
    assert len(with_them) == 7
    assert all(len(rows) == 36 - len(UNLABELLED) and not ids & {row["id"] for row in rows}
               for rows in with_them.values())
    rows = read_rows(folder)
    write_rows(folder, [row for row in rows if row[3]], "pair")
    assert run_grid(folder, out="without") == 0
    without_them = predictions(folder, "without")
    assert {cell for cell in with_them if with_them[cell] != without_them[cell]} == {
        cell for cell in with_them if uses(cell)}


def test_what_is_handed_to_a_fusion_is_apart_from_the_rows_it_is_asked_about(folder, monkeypatch):
    seen, fit_on = [], fold_views.fit_on

    def spy(views, split, context):
        seen.append((split, context.groups, fit_on(views, split, context)))
        return seen[-1][-1]

    monkeypatch.setattr(fold_views, "fit_on", spy)
    assert run_grid(folder) == 0
    handed = [call for call in seen if call[-1].unlabelled is not None]
    assert len(handed) > 10
    for (_, test, rows), groups, fit in handed:
        assert not set(groups[rows]) & set(groups[test])
        np.testing.assert_array_equal(fit.unlabelled.groups, groups[rows])
        assert set(fit.y) <= {0, 1, 2}


def test_they_are_part_of_the_keys_of_those_fusions_alone(folder):
    comparison = comparison_of(folder / "grid.yaml")
    cells = comparison.cells
    fewer = [
        replace(fold, unlabelled=tuple(rows[1:] for rows in fold.unlabelled))
        for fold in comparison.folds
    ]
    reduced = replace(comparison, folds=tuple(fewer))
    plans = [make_plan(compared).units for compared in (comparison, reduced)]
    changed = changed_cells(*plans)
    assert changed == {cell.name for cell in cells if uses(cell.name)}
    assert len(changed) == 3


def test_their_groups_are_part_of_the_keys_of_those_fusions_alone(folder):
    comparison = comparison_of(folder / "grid.yaml")
    dataset, drawn, cells = comparison.dataset, comparison.folds, comparison.cells
    groups = dataset.groups.copy()
    groups[drawn[0].outer.unlabelled[0]] = groups.max() + 1
    regrouped = replace(comparison, dataset=replace(dataset, groups=groups))
    plans = [make_plan(compared).units for compared in (comparison, regrouped)]
    changed = changed_cells(*plans)
    assert changed == {cell.name for cell in cells if uses(cell.name)}
