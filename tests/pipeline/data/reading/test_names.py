"""Names in one normal form, and the code points in which two differ."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.reading.names import by_normal_form, lookalikes, normal, unlike, unlike_all


@given(st.text(max_size=12))
def test_the_normal_form_is_reached_at_once_from_every_canonical_form(name):
    form = normal(name)
    assert normal(form) == form
    assert normal(unicodedata.normalize("NFD", name)) == form
    assert normal(f" {name}\u00a0") == form


def test_what_is_seen_tells_names_apart():
    names = ["oak", "Oak", "0ak", "o ak", "\u0646\u200c\u0627", "\u0646\u0627"]
    assert lookalikes(names) == {}
    assert len(by_normal_form(names)) == len(names)


def test_names_that_look_the_same_are_listed_by_their_form():
    names = ["a  b", "a b", "x", "a\u00adb\ufeff", "ab"]
    assert lookalikes(names) == {"a b": ["a  b", "a b"], "ab": ["ab", "a\u00adb\ufeff"]}
    assert by_normal_form(names) == {"x": "x"}


@pytest.mark.parametrize(("name", "other", "said"), [
    ("caf\u00e9s", "cafe\u0301s", "U+00E9 in the first, U+0065 U+0301 in the second"),
    ("oak", "oak ", "nothing in the first, U+0020 in the second"),
    ("a\u00a0b", "a b", "U+00A0 in the first, U+0020 in the second"),
])
def test_names_are_told_apart_by_the_code_points_in_which_they_differ(name, other, said):
    assert unlike(name, other) == said
    assert unlike_all([name, other]) == f"'{name}', '{other}': {said}"
