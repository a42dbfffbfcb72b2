"""Rows that are left out: few by name, many by reason with a count, all of them in a file."""

from __future__ import annotations

import csv
import io

from pipeline.data.left_out import (
    DROPPED,
    LeftOut,
    by_reason,
    counted_reasons,
    dropped_csv,
    told_rows,
)


def rows(count: int, reason: str = "there is no picture") -> list[LeftOut]:
    return [
        LeftOut(f"items.csv row {number}", f"id {number}", f"items.csv row {number}: {reason}",
                reason)
        for number in range(1, count + 1)
    ]


def test_few_are_named():
    assert told_rows(rows(2)) == [
        "items.csv row 1: there is no picture", "items.csv row 2: there is no picture",
    ]


def test_many_are_counted_by_reason_and_stand_in_a_file():
    lines = told_rows([*rows(126), *rows(4, "the text is empty")])
    assert lines == [
        "126 rows, there is no picture: items.csv row 1, items.csv row 2, items.csv row 3 and "
        "123 more",
        "4 rows, the text is empty: items.csv row 1, items.csv row 2, items.csv row 3 and 1 more",
        f"all of them stand in {DROPPED} of the run's folder",
    ]


def test_many_reasons_end_in_a_count():
    different = [rows(1, f"class {number} is too small")[0] for number in range(40)]
    lines = told_rows(different)
    assert len(lines) == 12
    assert lines[-2] == "... and 30 more reasons"


def test_the_most_frequent_reason_comes_first():
    grouped = by_reason([*rows(1, "a"), *rows(3, "b")])
    assert [(reason, len(of)) for reason, of in grouped.items()] == [("b", 3), ("a", 1)]
    assert counted_reasons(rows(1, "a")) == ["1 row, a: items.csv row 1"]


def test_the_file_has_all_of_them_whatever_they_hold():
    hard = LeftOut('a "b", c', "x\ny", "sentence, with comma", "reason")
    table = list(csv.DictReader(io.StringIO(dropped_csv([*rows(300), hard]))))
    assert len(table) == 301
    assert table[-1] == {
        "row": 'a "b", c', "id": "x\ny", "reason": "reason", "sentence": "sentence, with comma",
    }
