"""What columns seem to be, by their values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.start.column import Column, is_picture_path

SENTENCES = [f"a sofa with {number} legs and a soft seat" for number in range(40)]
VALUES = {
    "nothing": [None] * 40,
    "a constant": ["yes"] * 40,
    "numbers": [f"{number},5" for number in range(40)],
    "dates": [f"2024-01-{number % 28 + 1:02}" for number in range(40)],
    "addresses": [f"https://example.org/{number}.jpg" for number in range(40)],
    "picture paths": [f"pictures/no {number}.JPG" for number in range(40)],
    "base64": ["/9j/" + "A" * 100 + f"{number:04}" for number in range(40)],
    "categories": ["lamp", "sofa", None, "lamp"] * 10,
    "codes": [f"A-{number:04}" for number in range(40)],
    "texts": SENTENCES,
}


@pytest.mark.parametrize("kind", VALUES)
def test_each_kind_of_values_is_told(kind: str):
    column = Column.of("x", VALUES[kind])
    assert column.kind == kind
    assert column.seems


@pytest.mark.parametrize("text", ["这盏灯给房间温暖的光", "赤いソファとやわらかい座面"])
def test_texts_without_spaces_have_words(text: str):
    column = Column.of("x", [f"{text}{number}" for number in range(40)])
    assert column.kind == "texts"
    assert column.words >= 4


def test_a_few_strays_do_not_decide():
    values = [*VALUES["numbers"], "unknown"]
    assert Column.of("x", values).kind == "numbers"
    assert Column.of("x", ["see a.jpg for it", *SENTENCES]).kind == "texts"


@pytest.mark.parametrize(("value", "expected"), [
    ("a.jpg", True), ("a/b c.PNG", True), ("a.txt", False), ("https://x.org/a.jpg", False),
    ("a\nb.jpg", False), ("jpg", False), ("x" * 5000 + ".jpg", False),
])
def test_what_may_be_a_picture_path(value: str, expected: bool):
    assert is_picture_path(value) is expected


@given(st.lists(st.none() | st.text(min_size=1, max_size=20), min_size=1, max_size=60))
def test_every_column_seems_to_be_something(values: list[str | None]):
    column = Column.of("x", values)
    assert column.filled == sum(value is not None for value in values)
    assert column.kind in VALUES
    assert (column.kind == "nothing") == (column.filled == 0)
    assert column.is_unique == (None not in values and len(set(values)) == len(values))
