"""Accuracy by kind of row, by value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.testing.records import FUSION, IMAGE, MAJORITY, TEXT, small_record
from reports.sections import breakdown

KINDS = ("colour",) * 3 + ("form",) * 8 + (None,)


def test_shares_are_those_of_the_rows_of_each_value():
    record = replace(small_record(), breakdown={"kind": KINDS})
    [table] = breakdown.facts(record).tables
    assert table.column == "kind"
    assert table.values == (("form", 8), ("colour", 3), ("none", 1))
    assert [cell.cell for cell in table.cells] == [
        cell.name for cell in (FUSION, TEXT, IMAGE, MAJORITY)
    ]
    # every cell of the record is wrong about row 0 alone, which is of kind colour
    for cell in table.cells:
        assert cell.whole.share == pytest.approx(11 / 12)
        assert [part.share for part in cell.shares] == pytest.approx([1, 2 / 3, 1])
        assert cell.whole.half_width is None  # of twelve groups there is no interval


def test_without_a_column_there_is_no_section():
    assert breakdown.facts(small_record()) is None


def test_rare_values_share_a_column():
    values = tuple(f"kind {row}" for row in range(12))
    [table] = breakdown.facts(replace(small_record(), breakdown={"kind": values})).tables
    assert len(table.values) == breakdown.VALUES + 1
    assert table.values[-1] == ("others", 4)


def test_intervals_count_the_rows_of_a_group_together():
    rng = np.random.default_rng(0)
    of_group = (rng.random(400) < 0.7).astype(float)
    groups, right = np.repeat(np.arange(400), 5), np.repeat(of_group, 5)
    share = breakdown.share_of(right, groups)
    expected = 1.96 * of_group.std(ddof=1) / np.sqrt(400)  # as if each group were one row
    assert share.share == pytest.approx(of_group.mean())
    assert share.half_width == pytest.approx(expected)
    assert breakdown.share_of(np.ones(2000), groups).half_width is None
    alone = breakdown.share_of(right, np.arange(2000))
    assert alone.half_width == pytest.approx(expected / np.sqrt(5), rel=0.01)


def test_repeats_of_a_row_count_as_one_row():
    record = small_record()
    twice = tuple(replace(fold, repeat=1) for fold in record.folds)
    doubled = replace(record, folds=(*record.folds, *twice), breakdown={"kind": KINDS})
    [table] = breakdown.facts(doubled).tables
    assert dict(table.values) == {"form": 8, "colour": 3, "none": 1}
    assert table.cells[0].whole.share == pytest.approx(11 / 12)
