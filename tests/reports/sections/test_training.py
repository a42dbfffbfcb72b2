"""The report's section on how networks were trained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.testing.records import FUSION, small_record
from reports.page.render import html_page, markdown_page, report_parts
from reports.sections import training
from reports.sections.training import Trained


def trained_record():
    record = small_record()
    courses = [
        {"kept": epoch, "fitted": [2.0, 1.5, 1.0, 0.5], "held_out": [1.0, 0.9, 0.8, loss]}
        for epoch, loss in ((3, 0.9), (4, 0.4), (3, 0.9), (4, 0.6))
    ]
    folds = iter(courses)
    return replace(
        record,
        folds=tuple(
            replace(fold, training=next(folds)) if fold.cell == FUSION.name else fold
            for fold in record.folds
        ),
    )


def test_facts_by_value():
    facts = training.facts(trained_record())
    assert facts.cells == (
        Trained(FUSION.name, 4, (3.5, 3, 4), 2, 4, pytest.approx((0.8 + 0.4 + 0.8 + 0.6) / 4)),
    )
    assert facts.drawn == FUSION.name
    assert facts.held_out == (1.0, 0.9, 0.8, 0.9)
    assert training.facts(small_record()) is None


def test_page_and_markdown_name_the_limit():
    record = trained_record()
    parts = [part for part in report_parts(record) if part.name == "training"]
    for content in (html_page(record, parts, ""), markdown_page(record, parts)):
        assert "limit of 4 epochs in 2 of 4 folds" in content
        assert "held out: 1.000 to 0.900" in content
