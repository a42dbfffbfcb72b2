"""The learning curve: nested shares of labels, the others hidden, the same test rows."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest

from pipeline.config.grid import GridError, Split
from pipeline.config.parse import read_grid
from pipeline.folds.draw import draw
from pipeline.folds.few_labels import few_labels, labelled_rows
from pipeline.followup import learning_curve
from pipeline.followup.learning_curve import curve_cells
from pipeline.plan.execute import run_plan
from pipeline.plan.plan import make_plan
from pipeline.store.folder import FolderStore
from pipeline.store.manifest import MANIFEST
from pipeline.tasks import fit
from pipeline.testing.records import FUSION, IMAGE, TEXT, small_record
from reports.follow_up_record import CurveRecord
from reports.sections import learning_curve as section
from tests.support.comparisons import comparison_of
from tests.support.datasets import dataset_of
from tests.support.tiny import (
    GRID,
    recorded_runs,
    register,
    run_grid,
    without_report,
    write_grid,
    write_table,
)

LABELS = np.repeat([0, 1, 2], [60, 30, 10])


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)


@pytest.mark.parametrize("seed", range(3))
def test_shares_are_nested_stratified_and_never_without_a_class(seed):
    train = np.flatnonzero(np.arange(100) % 5)
    before: set[int] = set()
    for share, counts in (
        (0.01, [1, 1, 1]),
        (0.1, [5, 2, 1]),
        (0.25, [12, 6, 2]),
        (1, [48, 24, 8]),
    ):
        rows = labelled_rows(train, LABELS, share, seed)
        assert np.bincount(LABELS[rows]).tolist() == counts
        assert list(rows) == sorted(set(rows) & set(train))
        assert before <= set(rows)
        before = set(rows)
    assert set(labelled_rows(train, LABELS, 0.1, seed)) != set(
        labelled_rows(train, LABELS, 0.1, seed + 1)
    )


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_other_training_rows_lose_their_label_and_groups_stay_apart(grouped, share, tmp_path):
    groups = np.arange(100) // 2 if grouped else None
    data = dataset_of(LABELS, groups)
    grid = replace(read_grid(write_grid(tmp_path, GRID)), split=Split(folds=5, repeats=1, inner=3))
    for fold in draw(data, grid.split, 0):
        few = few_labels(fold, share, grid, data)
        np.testing.assert_array_equal(few.test, fold.test)
        (train, test, hidden), *inner = few.splits()
        assert set(train) | set(hidden) == set(fold.train)
        assert not set(train) & set(hidden)
        assert len(inner) >= 2
        assert sorted(np.concatenate([scored for _, scored, _ in inner])) == list(train)
        for learned, scored, unknown in inner:
            assert set(learned) | set(scored) == set(train)
            assert set(unknown) <= set(hidden)
            if groups is not None:
                for rows in (learned, unknown):
                    assert not set(groups[rows]) & (set(groups[scored]) | set(groups[test]))
        again = few_labels(fold, share, grid, data)
        for split, same_split in zip(few.splits(), again.splits(), strict=True):
            for rows, same_rows in zip(split, same_split, strict=True):
                assert np.array_equal(rows, same_rows)
        assert few_labels(fold, 1, grid, data) is fold


def test_wrong_shares_are_named(tmp_path):
    with pytest.raises(GridError) as caught:
        read_grid(write_grid(tmp_path, GRID + "learning_curve: [0, 0.5, 2, a]\n"))
    assert len(caught.value.problems) == 3
    assert "above 0 and at most 1, not 2" in str(caught.value)
    with pytest.raises(GridError, match="listed twice"):
        read_grid(write_grid(tmp_path, GRID + "learning_curve: [0.5, 0.5]\n"))


# --- whole runs

CURVE = (
    re.sub(
        "fusion: .*",
        "fusion: [majority, image_only, text_only, {late: {rule: [mean, stacking]}}, "
        "semi_supervised, cca]",
        GRID,
    )
    + "learning_curve: [1, 0.1, 0.5]\n"
)


@pytest.fixture
def folder(tmp_path):
    write_table(tmp_path)
    write_grid(tmp_path, CURVE)
    return tmp_path


@pytest.fixture
def records(monkeypatch):
    return recorded_runs(monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder whose grid was run, with its store, and the record of the run."""
    folder = tmp_path_factory.mktemp("finished")
    write_table(folder)
    write_grid(folder, CURVE)
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        without_report(patch)
        records = recorded_runs(patch)
        assert run_grid(folder) == 0
    return folder, records[0]


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(finished[0], tmp_path / "copy")


def test_the_best_cells_are_scored_on_the_same_rows_at_every_share(finished):
    _, record = finished
    assert [point.share for point in record.learning_curve] == [0.1, 0.5, 1]
    labelled = [{entry.n_train for entry in point.folds} for point in record.learning_curve]
    assert labelled == [{3}, {12}, {24}]
    whole = {(entry.cell, entry.fold): entry for entry in record.folds}
    fusions = {entry.cell.split(" / ")[1].split("(")[0] for entry in record.learning_curve[0].folds}
    assert fusions == {"image_only", "text_only", "late", "semi_supervised", "cca"}
    for point in record.learning_curve:
        assert {(entry.cell, entry.fold) for entry in point.folds} == {
            (entry.cell, entry.fold) for entry in record.learning_curve[-1].folds}
        for entry in point.folds:
            np.testing.assert_array_equal(entry.rows, whole[entry.cell, entry.fold].rows)
            if point.share == 1:
                np.testing.assert_array_equal(
                    entry.probabilities, whole[entry.cell, entry.fold].probabilities
                )
    assert all(not np.array_equal(entry.probabilities, whole[entry.cell, entry.fold].probabilities)
               for entry in record.learning_curve[0].folds)
    assert all(entry.reused for entry in record.learning_curve[-1].folds)


def answers(record):
    """What all tasks of a run have told: of folds, with few labels too, and altered rows."""
    points = [record.folds, *(point.folds for point in record.learning_curve)]
    predicted = [
        (entry.cell, entry.fold, entry.probabilities.tobytes())
        for entry in chain.from_iterable(points)
    ]
    return predicted, record.probes, record.additive


def test_a_second_run_and_two_workers_give_the_same_from_and_without_the_store(
    finished, copied, records
):
    assert run_grid(copied, out="again") == 0
    assert run_grid(copied, "--store", str(copied / "other"), out="two", jobs=2) == 0
    first, again, other = map(answers, (finished[1], *records))
    assert first == again == other
    for point in records[0].learning_curve:
        assert all(entry.reused for entry in point.folds)


def test_a_curve_added_later_finds_results_whose_rows_and_features_are_gone(
    finished, folder, records
):
    """As in a store that was made before rows and folds were kept in it."""
    write_grid(folder, CURVE.partition("learning_curve")[0])
    assert run_grid(folder) == 0
    for entry in FolderStore(folder / "store").entries():
        text = (entry / MANIFEST).read_text()
        if any(f'"kind":"{kind}"' in text for kind in ("context", "features", "texts")):
            shutil.rmtree(entry)
    write_grid(folder, CURVE)
    assert run_grid(folder) == 0
    later, anew = records[1], finished[1]
    assert {point.share for point in later.learning_curve} == {0.1, 0.5, 1}
    for point, same in zip(later.learning_curve, anew.learning_curve, strict=True):
        for entry, same_entry in zip(point.folds, same.folds, strict=True):
            np.testing.assert_array_equal(entry.probabilities, same_entry.probabilities)


def test_hidden_labels_have_no_part_in_any_prediction(folder):
    whole = comparison_of(folder / "grid.yaml")
    dataset, store = whole.dataset, whole.store
    chosen = [cell for cell in whole.cells if not cell.parts]
    few = [few_labels(fold, 0.5, whole.grid, dataset) for fold in whole.folds[:1]]
    comparison = whole.of(chosen, few, whole.progress)
    plan, context = make_plan(comparison), comparison.context
    run_plan(plan, comparison)
    labels = dataset.labels.copy()
    hidden = few[0].outer.unlabelled
    labels[hidden] = (labels[hidden] + 1) % 3
    for unit in plan.units:
        other = fit._result(unit, replace(context, labels=labels), store).arrays["probabilities"]
        np.testing.assert_array_equal(other, store.load(unit.ingredients).arrays["probabilities"])


def test_a_cell_that_fails_with_few_labels_fails_there_only(copied, records, monkeypatch):
    scored = learning_curve.Scores

    def failing(plan, *rest):
        scores = scored(plan, *rest)
        if min(len(unit.fold.train) for unit in plan.units) == 3:
            scores._add(plan.units[0], lambda: 1 / 0)
        return scores

    monkeypatch.setattr(learning_curve, "Scores", failing)
    assert run_grid(copied, out="again") == 1
    (record,) = records
    assert [failure.cell.split(" with ")[1] for failure in record.failures] == ["0.1 of the labels"]


def test_the_best_of_each_kind_and_every_fusion_that_uses_unlabelled_rows_are_chosen(finished):
    folder, record = finished
    cells = comparison_of(folder / "grid.yaml").cells
    late = [cell for cell in cells if cell.parts]
    chosen = curve_cells(cells, record)
    assert len([cell for cell in chosen if cell in late]) == 1
    assert all(set(cell.parts) <= set(chosen) for cell in chosen)


def test_the_plan_says_that_the_curve_comes_on_top(folder, capsys):
    assert run_grid(folder, "--plan") == 0
    assert "once more, with 0.1, 0.5 of the labels" in capsys.readouterr().out
    write_grid(folder, GRID)
    assert run_grid(folder, "--plan") == 0
    assert "curve:" not in capsys.readouterr().out


# --- the section


def curve_record():
    """The small record with a curve: the fusion's gain over the text halves with all labels."""
    record = small_record()
    whole = tuple(
        entry for entry in record.folds if entry.cell in (IMAGE.name, TEXT.name, FUSION.name)
    )
    few = tuple(
        replace(entry, n_train=3, scores={**entry.scores, "balanced_accuracy": value})
        for entry, value in zip(whole, [0.2] * 4 + [0.3] * 4 + [0.4, 0.42, 0.38, 0.4], strict=True)
    )
    return replace(record, learning_curve=(CurveRecord(0.3, few), CurveRecord(1.0, whole)))


def test_facts_of_the_curve():
    facts = section.facts(curve_record())
    assert facts.shares == (0.3, 1.0)
    assert facts.labels == (3, 9)
    assert [line.name for line in facts.lines] == [FUSION.name, TEXT.name, IMAGE.name]
    fusion, text = facts.lines[0].points, facts.lines[1].points
    assert [round(point.score.mean, 3) for point in fusion] == [0.4, 0.67]
    assert [round(point.gain.interval.mean, 3) for point in fusion] == [0.1, 0.05]
    assert [point.gain.other for point in fusion] == [TEXT.name] * 2
    assert [point.gain for point in text] == [None, None]
    # Four folds of 9 training and 3 test rows; t(3, .975) = 3.18245.
    half = 3.18245 * np.sqrt((1 / 4 + 1 / 3) * 0.0008 / 3)
    assert fusion[0].gain.interval.high - 0.1 == pytest.approx(half, abs=1e-5)
    # scores that are all equal are as sure as if one of 12 rows were predicted otherwise
    assert 0.3 - text[0].low == pytest.approx(text[0].high - 0.3, abs=1e-9)
    assert text[0].high - 0.3 == pytest.approx(3.18245 / 12, abs=1e-5)


def test_no_curve_no_section_and_a_failed_point_is_a_gap():
    assert section.facts(small_record()) is None
    record = curve_record()
    few = replace(record.learning_curve[0], folds=tuple(
        entry for entry in record.learning_curve[0].folds if entry.cell != FUSION.name))
    facts = section.facts(replace(record, learning_curve=(few, record.learning_curve[1])))
    assert facts.lines[0].points[0] is None
    chart = section.charts(facts)["learning_curve"]
    assert "3 cells" in chart.label
