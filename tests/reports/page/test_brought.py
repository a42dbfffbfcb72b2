"""Sections that plugins bring: drawn like ours, and harmless where they fail."""

from __future__ import annotations

import logging

import pytest

from pipeline.testing.records import small_record
from reports.page.render import html_page, markdown_page, report_parts
from reports.section import Section
from reports.sections import SECTIONS


def pages(monkeypatch, section):
    monkeypatch.setitem(SECTIONS, "brought", section)
    record = small_record()
    parts = report_parts(record)
    assert [part.name for part in parts][-1] == "brought"
    assert len(parts) > 5
    return html_page(record, parts, ""), markdown_page(record, parts)


def test_what_it_prints_is_escaped_and_comes_last(monkeypatch):
    section = Section(
        "Brought", lambda record: "<b>*x*</b>", html="<p>{{ facts }}</p>", markdown="{{ facts }}"
    )
    html, markdown = pages(monkeypatch, section)
    assert "<p>&lt;b&gt;*x*&lt;/b&gt;</p>" in html
    assert markdown.rstrip().endswith("## Brought\n\n&lt;b&gt;\\*x\\*&lt;/b&gt;")
    # another plugin of the same process, with a section of that name
    html, _ = pages(monkeypatch, Section("B", lambda record: 1, html="<i>2</i>", markdown="3"))
    assert "<i>2</i>" in html


@pytest.mark.parametrize("section", [
    Section("Falls", lambda record: 1 / 0, html="x", markdown="x"),
    Section("Falls", lambda record: 1, html="{{ facts.nothing }}", markdown="x"),
    Section("Falls", lambda record: 1, html="x", markdown="{{ unknown }}"),
    Section("Falls", lambda record: 1, lambda facts: {}["no"], html="x", markdown="x"),
])  # fmt: skip
def test_a_section_that_fails_is_named_and_takes_nothing_with_it(monkeypatch, section, caplog):
    with caplog.at_level(logging.WARNING):
        html, markdown = pages(monkeypatch, section)
    for page in (html, markdown):
        assert "Falls" in page
        assert "This section of a plugin could not be made: " in page
    (record,) = caplog.records
    assert record.getMessage().startswith("warning: the section 'brought' of a plugin failed: ")
