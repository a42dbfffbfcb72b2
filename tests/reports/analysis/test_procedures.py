"""Choosing on inner folds: what is chosen, what it is scored by, and what has no part in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.testing.records import FUSION, IMAGE, MAJORITY, SMALL_SCORES, TEXT, small_record
from reports.analysis.procedures import procedure, procedures, within_reach
from reports.analysis.ranking import rank_cells
from reports.fold_record import CellRecord

LATE = CellRecord("cnn + tfidf / late", "cnn", "tfidf", "late", None)
SCORES = {**SMALL_SCORES, LATE: (0.60, 0.70, 0.62, 0.72)}


def with_inner(scores, inner, **changes):
    """A record whose cells score `inner[cell]` on the inner folds of each outer fold."""
    record = small_record(scores, **changes)
    by_name = {cell.name: values for cell, values in inner.items()}
    folds = tuple(
        replace(fold, inner_score=by_name.get(fold.cell, [None] * 9)[fold.fold])
        for fold in record.folds
    )
    return replace(record, folds=folds)


def test_each_fold_is_scored_with_the_cell_that_its_own_inner_folds_choose():
    inner = {
        IMAGE: (0.5, 0.7, 0.5, 0.5),
        TEXT: (0.6, 0.6, 0.6, 0.6),
        FUSION: (0.9, 0.1, 0.9, 0.1),
        LATE: (0.1, 0.9, 0.1, 0.9),
    }
    choosing = procedures(with_inner(SCORES, inner))
    both = choosing["both"]
    assert [both.chosen[0, fold] for fold in range(4)] == [
        FUSION.name, LATE.name, FUSION.name, LATE.name,
    ]
    assert both.standing.score.mean == pytest.approx((0.66 + 0.70 + 0.68 + 0.72) / 4)
    assert choosing["single"].chosen[0, 1] == IMAGE.name
    assert choosing["single"].standing.score.mean == pytest.approx((0.60 + 0.54 + 0.64 + 0.62) / 4)
    assert choosing["all"].candidates == tuple(
        sorted(cell.name for cell in (IMAGE, TEXT, FUSION, LATE))
    )
    assert MAJORITY.name not in choosing["all"].candidates
    assert both.favourite[1] == 2


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.permutations(range(4)))
def test_no_outer_score_has_a_part_in_the_choice(values, order):
    """Whatever the test rows give, the same inner scores choose the same cells."""
    inner = {FUSION: (0.7, 0.5, 0.7, 0.5), LATE: (0.6, 0.6, 0.6, 0.6)}
    moved = {**SCORES, FUSION: tuple(values), LATE: tuple(values[position] for position in order)}
    chosen = [procedures(with_inner(scores, inner))["both"].chosen for scores in (SCORES, moved)]
    assert chosen[0] == chosen[1]


def test_equal_inner_scores_are_settled_by_name_and_not_by_the_outer_score():
    inner = {FUSION: (0.7,) * 4, LATE: (0.7,) * 4}
    for scores in (SCORES, {**SCORES, LATE: (0.9,) * 4}):
        assert set(procedures(with_inner(scores, inner))["both"].chosen.values()) == {FUSION.name}


def test_a_loss_is_chosen_where_it_is_least():
    inner = {FUSION: (0.1, 0.9, 0.1, 0.9), LATE: (0.5,) * 4}
    record = with_inner(SCORES, inner, metric="log_loss")
    assert list(procedures(record)["both"].chosen.values()) == [FUSION.name, LATE.name] * 2


def test_the_only_cell_of_a_pool_needs_no_inner_scores_and_others_cannot_do_without():
    only = procedures(with_inner({cell: SMALL_SCORES[cell] for cell in (TEXT, FUSION)}, {}))
    assert only["both"].chosen[0, 0] == FUSION.name
    assert only["single"].candidates == (TEXT.name,)
    assert "all" not in only
    partial = with_inner(SCORES, {FUSION: (0.5,) * 4, LATE: (0.9, 0.9, 0.9, None)})
    both = procedures(partial)["both"]
    assert (both.candidates, both.left_out) == ((FUSION.name,), (LATE.name,))
    assert both.failed == (LATE.name,)  # it is near enough to have been fitted there
    assert "both" not in procedures(with_inner(SCORES, {}))


def test_what_is_far_behind_needs_no_inner_folds():
    """LATE alternates with FUSION, WORSE is behind on every fold by the same."""
    worse = CellRecord("cnn + bow / concat", "cnn", "bow", "concat", None)
    scores = {**SCORES, worse: tuple(value - 0.08 for value in SCORES[FUSION])}
    reach = within_reach(rank_cells(small_record(scores)))
    assert {FUSION.name, LATE.name} <= set(reach)
    assert worse.name not in reach
    assert MAJORITY.name not in reach
    ahead = {**SMALL_SCORES, FUSION: (0.9, 0.92, 0.91, 0.9), LATE: (0.5, 0.52, 0.51, 0.5)}
    # a cell far ahead of all others is to be chosen, too
    assert FUSION.name in within_reach(rank_cells(small_record(ahead)))
    alone = {cell: SMALL_SCORES[cell] for cell in (TEXT, MAJORITY)}
    assert within_reach(rank_cells(small_record(alone))) == ()


def test_one_fold_leaves_every_cell_within_reach():
    record = small_record({cell: scores[:1] for cell, scores in SCORES.items()})
    cells = (IMAGE, TEXT, FUSION, LATE)
    assert set(within_reach(rank_cells(record))) == {cell.name for cell in cells}


def test_without_a_complete_cell_there_is_nothing_to_choose():
    ranking = rank_cells(replace(small_record(), folds=()))
    assert procedure(ranking, "all") is None
    assert within_reach(ranking) == ()
