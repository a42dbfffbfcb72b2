"""Any text as Markdown that shows just this text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from reports.page import markdown


@given(st.text())
def test_markdown_is_one_line_without_markup(text):
    line = markdown.inline(text)
    assert "\n" not in line
    assert "<" not in line
    assert not re.search(r"(?<!\\)(\\\\)*[|`*\[]", line)


@given(st.text())
def test_a_fence_is_never_closed_from_inside(text):
    first, *body, last = markdown.fenced(text).split("\n")
    assert set(last) == {"`"}
    assert first == last
    assert not any(last in line for line in body)
