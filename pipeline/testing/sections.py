"""What every section of the report must do: a function for each rule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from pipeline.testing.records import FUSION, MAJORITY, small_record
from reports.page.render import html_page, markdown_page, part_of
from reports.record import RunRecord
from reports.section import Section

RECORDS: tuple[Callable[[], RunRecord], ...] = (
    small_record,
    lambda: small_record({MAJORITY: (0.25, 0.25, 0.25, 0.25)}),
    lambda: small_record({FUSION: (0.5, None, 0.5, 0.5)}, texts=[None] * 12),
)


def facts_are_the_same_each_time(name: str, section: Section[Any]) -> None:
    """Facts of a record are the same each time, and there may be none."""
    for record in RECORDS:
        made = record()
        first, second = section.facts(made), section.facts(made)
        assert (first is None) == (second is None)
        assert type(first) is type(second)
    assert section.title


def charts_can_be_drawn_and_say_what_they_show(name: str, section: Section[Any]) -> None:
    """Charts are plain JSON, have names that files can have, a label and a caption."""
    facts = section.facts(small_record())
    for chart_name, chart in ({} if facts is None else section.charts(facts)).items():
        assert re.fullmatch(r"[a-z0-9_-]+", chart_name)
        assert json.loads(json.dumps(chart.spec))
        assert chart.label
        assert chart.caption


def is_drawn_as_page_and_as_markdown(name: str, section: Section[Any]) -> None:
    """Both templates can be filled in from the facts, of small and of incomplete runs."""
    for record in RECORDS:
        made = record()
        part = part_of(name, name, section, made)
        if part is None:
            continue
        assert part.title in html_page(made, [part], "")
        assert f"## {part.title}" in markdown_page(made, [part])


CHECKS: tuple[Callable[[str, Section[Any]], None], ...] = (
    facts_are_the_same_each_time,
    charts_can_be_drawn_and_say_what_they_show,
    is_drawn_as_page_and_as_markdown,
)
