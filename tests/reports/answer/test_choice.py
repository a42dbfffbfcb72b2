"""What a run says to choose: the best cell, or one with one modality that is as good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.testing.records import FUSION, IMAGE, MAJORITY, SMALL_SCORES, TEXT, small_record
from reports.analysis.ranking import rank_cells
from reports.answer.choice import choice
from reports.answer.verdict import verdict
from reports.sections.verdict import facts
from tests.support.simulated_runs import Truth, simulated_run


def of_gains(*gains: float):
    """The small record, whose fusion is better than the text by these on each fold."""
    fusion = tuple(text + by for text, by in zip(SMALL_SCORES[TEXT], gains, strict=True))
    return small_record({**SMALL_SCORES, FUSION: fusion})


def chosen_of(record):
    return choice(verdict(record), rank_cells(record))


@pytest.mark.parametrize(
    ("gains", "cell", "why"),
    [
        ((0.10, 0.11, 0.12, 0.11), FUSION, "the best of 3 cells, balanced accuracy 0.730"),
        ((0.06, 0.02, 0.04, 0.08), FUSION, "the best of 3 cells"),  # it probably pays
        # shown neither way, but it may bring far more than what matters
        ((0.30, -0.02, 0.02, -0.02), FUSION, "the best of 3 cells"),
        ((0.10, -0.08, 0.05, -0.05), TEXT, "is not shown to bring more than the 0.01 that matters"),
        ((0.0, 0.001, 0.0, 0.001), TEXT, "the picture makes no difference that matters"),
        ((0.0, 0.0, 0.0, 0.0), TEXT, "is not shown to bring more than the 0.01 that matters"),
        ((-0.10, -0.11, -0.12, -0.11), TEXT, "since the picture does harm"),
    ],
)
def test_a_second_modality_is_chosen_only_where_it_may_be_worth_having(gains, cell, why):
    record = of_gains(*gains)
    chosen = chosen_of(record)
    assert chosen.standing.cell == cell
    assert chosen.simpler is (cell == TEXT)
    assert why in facts(record).choose.why
    line = dict(facts(record).lines)["What to choose"]
    assert f"“{cell.name}”" in line
    assert ("since the picture" in line) is chosen.simpler


def test_what_is_expected_of_a_simpler_cell_is_what_choosing_among_such_cells_reaches():
    record = of_gains(0.0, 0.001, 0.0, 0.001)
    chosen = chosen_of(record)
    assert set(chosen.choosing.candidates) == {IMAGE.name, TEXT.name}
    assert chosen.score.mean == pytest.approx(0.62)
    assert facts(record).choose.score == chosen.score
    (said,) = (line for line in facts(record).sentences if line.startswith("Take"))
    assert "choosing among 2 cells with one modality on inner folds" in said


def test_only_what_is_no_baseline_is_chosen():
    assert chosen_of(small_record({MAJORITY: SMALL_SCORES[MAJORITY]})) is None
    assert facts(small_record({MAJORITY: SMALL_SCORES[MAJORITY]})).choose is None
    alone = chosen_of(small_record({cell: SMALL_SCORES[cell] for cell in (TEXT, MAJORITY)}))
    assert (alone.standing.cell, alone.simpler) == (TEXT, False)


@pytest.mark.parametrize(
    ("gain", "seed", "simpler"), [(0.0, 4, True), (0.02, 5, False), (0.1, 4, False)]
)
def test_one_fold_that_shows_no_gain_takes_the_simpler_cell(gain, seed, simpler):
    """Over other test rows; a gain that may be far more than what matters takes the fusion."""
    truth = Truth(gain=gain, fusions=2, rows=1200, accuracy=0.6)
    record = simulated_run(truth, data_seed=seed, repeats=1).record
    record = replace(record, folds=tuple(fold for fold in record.folds if fold.fold == 0))
    assert verdict(record).answer == "one fold"
    assert chosen_of(record).simpler is simpler


def test_one_fold_of_few_rows_shows_nothing_and_takes_the_best():
    record = small_record({cell: scores[:1] for cell, scores in SMALL_SCORES.items()})
    assert verdict(record).over_test_rows.low is None
    assert chosen_of(record).standing.cell == FUSION
