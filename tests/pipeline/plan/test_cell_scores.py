"""The score of each cell is said once, as soon as its last fold is done."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.engine.progress import quiet, showing
from pipeline.engine.task import Failed, NotReached
from pipeline.plan.cell_scores import CellScores
from pipeline.plan.execute import run_plan
from pipeline.plan.plan import make_plan
from pipeline.results.scores import Scores
from tests.support.comparisons import comparison_of
from tests.support.tiny import GRID, register, write_grid, write_table

STACKING = GRID.replace("[mean, product]", "[mean, stacking]")


@pytest.fixture
def comparison(tmp_path, monkeypatch):
    register(monkeypatch)
    write_table(tmp_path)
    return comparison_of(write_grid(tmp_path, STACKING))


def scores_of(plan, comparison) -> dict[str, float]:
    """What is said while a plan is carried out, by cell."""
    with quiet(), showing() as shown:
        run_plan(plan, comparison)
        said = list(shown.state.scores)
    assert len({score.cell for score in said}) == len(said)
    assert {score.folds for score in said} <= {3}
    return {score.cell: score.value for score in said}


def test_they_are_the_means_that_the_report_gives(comparison):
    plan = make_plan(comparison)
    said = scores_of(plan, comparison)
    assert set(said) == {cell.name for cell in comparison.cells}  # combinations too
    scores = Scores(plan, run_plan(plan, comparison), comparison)
    for cell in comparison.cells:
        values = [fold.scores["balanced_accuracy"] for fold in scores.ordered([cell])]
        assert said[cell.name] == pytest.approx(np.mean(values))


def test_of_what_was_there_before_nothing_is_said(comparison):
    plan = make_plan(comparison)
    run_plan(plan, comparison)
    assert scores_of(plan, comparison) == {}


def test_a_cell_that_failed_or_was_not_reached_has_no_score(comparison):
    plan = make_plan(comparison)
    outcomes = run_plan(plan, comparison)
    for lacking in (Failed("ValueError", "trace"), NotReached()):
        watched = CellScores(plan, comparison, {})
        first = plan.units[0]
        with quiet(), showing() as shown:
            watched.note({first.key: lacking})
            watched.note({
                key: outcome for key, outcome in (outcomes.units | outcomes.combinations).items()
                if key != first.key
            })
        cells = {score.cell for score in shown.state.scores}
        assert first.cell.name not in cells
        assert cells


def test_what_cannot_be_scored_ends_nothing(comparison, monkeypatch):
    def broken(*_: object) -> float:
        raise RuntimeError("no score")

    monkeypatch.setattr(CellScores, "_score", broken)
    assert scores_of(make_plan(comparison), comparison) == {}
