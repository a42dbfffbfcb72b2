"""Hostile texts in every field of a record break nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

from reports.page.render import write_report
from reports.page.terminal import closing
from reports.wording import clean
from tests.support.hostile import hostile
from tests.support.page import Page
from tests.support.realistic import realistic_record


def test_labels_of_any_length_are_cut_wherever_they_are_shown(tmp_path):
    record = realistic_record(n_rows=200, repeats=1)
    long = tuple(f"{name}\x1b[31m" + "y" * 100_000 for name in record.classes)
    files = write_report(replace(record, classes=long), tmp_path)
    for path in files:
        content = path.read_text(encoding="utf-8")
        assert "y" * 1000 not in content
        assert "\x1b" not in content
    assert "y" * 70 in files[0].read_text(encoding="utf-8")
    said = closing(replace(record, classes=long))
    assert "\x1b" not in said
    assert "y" * 1000 not in said


def test_hostile_texts_break_nothing(page, tmp_path):
    files = write_report(hostile(realistic_record(n_rows=200, repeats=1)), tmp_path)
    text = files[0].read_text(encoding="utf-8")
    read = Page(text)
    assert {tag for tag, _ in read.tags} <= {tag for tag, _ in page.tags} | {"i"}
    assert sum(tag == "script" for tag, _ in read.tags) == sum(
        tag == "script" for tag, _ in page.tags
    )
    attributes = set().union(*(attrs for _, attrs in read.tags))
    assert not [name for name in attributes if name.startswith("on")]
    assert text.count("picture unreadable") == text.count('class="absent"') > 0
    specs = [words for attrs, words in read.scripts if attrs.get("type") == "application/json"]
    assert len(specs) == 5
    assert not any("<" in words for words in specs)
    assert "{{ 7 * 7 }}" in text
    for path in files:
        content = path.read_text(encoding="utf-8")
        if path.suffix != ".html":
            assert content == clean(content)
        if path.suffix == ".svg":
            ElementTree.fromstring(content)
    outside = re.sub(r"(?ms)^(`{3,})[^`\n]*\n.*?^\1$", "", files[1].read_text(encoding="utf-8"))
    assert "<" not in outside
    assert "](http" not in outside
