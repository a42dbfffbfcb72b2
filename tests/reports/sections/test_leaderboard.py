"""The leaderboard: ranks, costs, parameters and the front, by value."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pipeline.testing.records import FUSION, IMAGE, MAJORITY, SMALL_SCORES, TEXT, small_record
from reports.analysis.ranking import rank_cells
from reports.answer.leaderboard_rows import Cost
from reports.fold_record import CellRecord, FailureRecord
from reports.sections import leaderboard, verdict


def test_missing_folds_and_failures_are_not_ranked():
    partial = CellRecord("partial", "cnn", "tfidf", "late", None)
    record = small_record({**SMALL_SCORES, partial: (0.99, 0.99, None, 0.99)})
    assert rank_cells(record).best().cell == FUSION
    row = leaderboard.facts(record).rows[-1]
    assert (row.name, row.rank, row.done, row.note) == ("partial", None, 3, "only 3 of 4 folds")
    failed = replace(record, failures=(FailureRecord(FUSION.name, 0, 3, "MemoryError", "trace"),))
    assert rank_cells(failed).best().cell == TEXT
    assert any(
        "failed" in caution and FUSION.name in caution for caution in verdict.facts(failed).cautions
    )
    assert any(
        "without a score on every fold" in caution for caution in verdict.facts(failed).cautions
    )


def test_a_fold_without_a_score_counts_for_no_cell():
    nan = math.nan
    record = small_record({TEXT: (0.6, nan, 0.7), FUSION: (0.7, nan, 0.9)})
    facts = leaderboard.facts(record)
    assert (facts.excluded, facts.rows[0].scores[0].mean) == (1, pytest.approx(0.8))
    assert [key for key, _ in facts.rows[0].by_fold] == [(0, 0), (0, 2)]
    assert verdict.facts(record).gain.interval.folds == 2
    one_sided = small_record({TEXT: (0.6, 0.6, 0.7), FUSION: (0.7, nan, 0.9)})
    assert rank_cells(one_sided).best().cell == TEXT


def test_chosen_parameters_and_times():
    row = leaderboard.facts(small_record()).rows[0]
    assert row.parameters == (("C", (("0.1", 3), ("1", 1))),)
    assert row.done == 4
    assert row.cost == Cost(6.25, 0.5, 0.01, 1500, 2_500_000)
    assert row.cost.seconds == pytest.approx(6.76)


def test_ranks_on_folds_and_the_front():
    record = small_record({**SMALL_SCORES, IMAGE: (0.50, 0.70, 0.68, 0.56)})
    rows = {row.name: row for row in leaderboard.facts(record).rows}
    assert rows[FUSION.name].ranks == (1, 1.0, 2)  # 1 2 1 1: on the third fold equal to the picture
    assert rows[IMAGE.name].ranks == (1, 2.0, 3)  # 3 1 1 3
    assert rows[MAJORITY.name].ranks == (4, 4.0, 4)
    # the text is cheapest (0.25 s to encode), the fusion best; the picture is dearer than the text
    # and worse
    assert {name for name, row in rows.items() if row.front} == {TEXT.name, FUSION.name}
    costly = replace(
        record, folds=tuple(replace(fold, encode_seconds=9.0) for fold in record.folds)
    )
    assert {row.name for row in leaderboard.facts(costly).rows if row.front} == {FUSION.name}
    chart = leaderboard.charts(leaderboard.facts(record))["front"]
    assert [value["row"] for value in chart.spec["layer"][0]["data"]["values"]] == [
        FUSION.name,
        TEXT.name,
    ]


def test_cells_without_measured_costs_draw_no_front():
    record = small_record()
    free = replace(
        record,
        folds=tuple(
            replace(fold, encode_seconds=0.0, fit_seconds=0.0, predict_seconds=0.0)
            for fold in record.folds
        ),
    )
    assert set(leaderboard.charts(leaderboard.facts(free))) == {"leaderboard"}


def test_baselines_are_told_in_the_caption_and_do_not_squeeze_the_others():
    chart = leaderboard.charts(leaderboard.facts(small_record()))["leaderboard"]
    rows = {value["kind"] for value in chart.spec["layer"][0]["data"]["values"]}
    assert rows == {"image", "text", "fusion"}
    assert chart.caption.endswith(
        "Not drawn, so that the others stay apart: the baseline majority 0.250 ± 0.000."
    )
    alone = leaderboard.facts(small_record({MAJORITY: (0.25,) * 4}))
    chart = leaderboard.charts(alone)["leaderboard"]
    assert {value["kind"] for value in chart.spec["layer"][0]["data"]["values"]} == {"baseline"}
