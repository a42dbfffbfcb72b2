"""Calibration before and after scaling, by value."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.testing.records import FUSION, IMAGE, TEXT, small_record
from reports.sections import calibration


def test_calibration_shows_what_scaling_changes():
    record = small_record()
    plain = calibration.facts(record)
    assert (
        [cell.cell for cell in plain.cells]
        == list(plain.drawn)
        == [FUSION.name, TEXT.name, IMAGE.name]
    )
    assert set(calibration.charts(plain)) == {"reliability"}
    scaled = calibration.facts(
        replace(record, folds=tuple(replace(fold, temperature=0.5) for fold in record.folds))
    )
    assert scaled.cells[0].temperature == 0.5
    # 11 of 12 are right with 60 %: too modest
    assert scaled.cells[0].scaled.ece < scaled.cells[0].plain.ece
    chart = calibration.charts(scaled)["reliability-scaled"]
    heights = [value["y"] for value in chart.spec["data"]["values"] if value["kind"] == "fusion"]
    assert heights == [pytest.approx(11 / 12)]
