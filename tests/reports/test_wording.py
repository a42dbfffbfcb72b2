"""Numbers and names as a reader sees them."""

from __future__ import annotations

import math

import pytest

from reports.units import duration
from reports.wording import (
    distinct,
    figure,
    first_lines,
    first_listed,
    for_terminal,
    in_a_line,
    noun_of,
    short,
    signed,
    signed_end,
)


def test_numbers_and_names():
    assert (figure(0.12345), figure(-0.5), figure(-0.0001), figure(math.nan), figure(None)) == (
        "0.123",
        "−0.500",
        "0.000",
        "–",
        "–",
    )
    assert (signed(0.05), signed(-0.05), signed(0.0001), signed(math.inf)) == (
        "+0.050",
        "−0.050",
        "0.000",
        "–",
    )
    assert list(map(signed_end, (0.0478, 0.000165, -0.0004, 0.0006, 0.0, 1e-9, None))) == [
        "+0.048",
        "+0.0002",
        "−0.0004",
        "+0.001",
        "0.000",
        "0.000",
        "–",
    ]
    assert [duration(s) for s in (0, 0.02, 3.14, 99.97, 3725, 36000)] == [
        "0 s",
        "20 ms",
        "3.1 s",
        "1 min 40 s",
        "62 min 5 s",
        "10.0 h",
    ]
    assert short("a  b\nc", 80) == "a b c"
    assert len(short("x" * 500, 60)) == 60
    assert len(set(distinct(["x" * 90, "x" * 91, "x" * 92]))) == 3


def test_a_text_for_a_terminal_has_no_escapes_and_no_endless_lines():
    text = "a\x1b[31mEVIL\x1b]0;title\x07\r\n" + "y" * 100_000 + "\ttab\n\u202eback"
    first, second, third = for_terminal(text, 50).split("\n")
    assert first == "a\ufffd[31mEVIL\ufffd]0;title\ufffd"
    assert second == "y" * 49 + "…"
    assert third == "\ufffdback"
    assert for_terminal("a  b\u00a0c") == "a  b\u00a0c"


def test_a_long_list_ends_in_a_count_of_the_others():
    names = [f"row {number}" for number in range(1, 127)]
    assert first_lines(names[:10]) == names[:10]
    assert first_lines(names, where="dropped.csv") == [
        *names[:10], "... and 116 more: see dropped.csv",
    ]
    assert first_lines(names, 2, what="rows") == ["row 1", "row 2", "... and 124 more rows"]
    assert first_lines([str(number) for number in range(5010)])[-1] == "... and 5,000 more"
    assert first_lines([]) == []
    assert first_listed(names, 2) == "row 1, row 2 and 124 more"
    assert first_listed(names[:2], 2) == "row 1 and row 2"


@pytest.mark.parametrize(("error", "line"), [
    (ValueError("of two\n  lines"), "ValueError: of two lines"), (KeyError(), "KeyError"),
])
def test_an_error_is_told_in_a_line(error, line):
    assert in_a_line(error) == line


@pytest.mark.parametrize(("number", "plural", "noun"), [
    (2, "samples", "samples"), (1, "samples", "sample"), (0, "texts", "texts"),
    (1, "passes over the texts", "pass over the texts"), (1, "epochs at most", "epoch at most"),
    (1, "", ""),
])
def test_one_of_several_has_a_noun_of_its_own(number, plural, noun):
    assert noun_of(number, plural) == noun
