"""Cells in order of their score, by value."""

from __future__ import annotations

import math

import pytest

from pipeline.testing.records import FUSION, IMAGE, MAJORITY, TEXT, small_record
from reports.analysis.ranking import rank_cells


def test_ranking_by_value():
    ranking = rank_cells(small_record())
    assert [(s.cell.name, s.rank) for s in ranking.standings] == [
        (FUSION.name, 1),
        (TEXT.name, 2),
        (IMAGE.name, 3),
        (MAJORITY.name, 4),
    ]
    assert ranking.standings[0].score.mean == pytest.approx(0.67)
    assert ranking.standings[0].score.deviation == pytest.approx(math.sqrt(0.002 / 3))


def test_equal_means_share_a_rank():
    ranking = rank_cells(small_record({IMAGE: (0.5, 0.5), TEXT: (0.5, 0.5), MAJORITY: (0.2, 0.2)}))
    assert [s.rank for s in ranking.standings] == [1, 1, 3]


def test_an_unknown_metric_is_an_error():
    with pytest.raises(ValueError, match="'gini' is not among"):
        rank_cells(small_record(metric="gini"))
