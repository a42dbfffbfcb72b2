"""Rows of JSON Lines: objects, or an error that says the rule."""

from __future__ import annotations

import pytest

from pipeline.data.reading.json_rows import json_object

DEEP = '{"text": ' + "[" * 200_000 + "]" * 200_000 + "}"


@pytest.mark.parametrize("form", [str, str.encode])
def test_numbers_are_their_shortest_text_and_no_numbers_are_missing(form):
    line = form('{"a": 4006381333931.0, "b": 2.50, "c": NaN, "d": "x", "e": null}')
    assert json_object(line) == {"a": "4006381333931", "b": "2.5", "c": None, "d": "x", "e": None}


@pytest.mark.parametrize("line", ['{"a": 1, "a": 1}', '{"b": [{"a": 1, "b": 2, "a": null}]}'])
def test_a_key_that_stands_twice_is_refused(line):
    with pytest.raises(ValueError, match="the key a stands more than once"):
        json_object(line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting property name"),
        ("[1, 2]", r"not \[1, 2\]"),
        ('"text"', 'not "text"'),
        (DEEP, "nested too deep"),
    ],
    ids=["cut off", "list", "text", "deep"],
)
@pytest.mark.parametrize("form", [str, str.encode])
def test_what_is_no_object_is_refused_with_the_rule(line, reason, form):
    with pytest.raises(ValueError, match=f"every line must be a JSON object.*{reason}"):
        json_object(form(line))
