"""Method checks: each fires on what it is for, and stays silent on a sound run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reports.analysis.checks import checks
from reports.fold_record import CellRecord, FoldRecord
from reports.sections import verdict
from tests.support.realistic import realistic_record
from tests.support.records import FUSION, IMAGE, MAJORITY, METRICS, SMALL_SCORES, TEXT, small_record
from tests.support.tiny import register, run_grid, without_report, write_table


def names(record, severe=False):
    return [check.name for check in checks(record) if check.severe or not severe]


def sentences(record):
    return " ".join(check.sentence for check in checks(record))


def test_a_sound_run_raises_no_doubt():
    record = realistic_record(1000, repeats=1, encoders=1)
    assert checks(record) == ()


def test_near_perfect_text():
    record = small_record({**SMALL_SCORES, TEXT: (0.99, 1.0, 0.98, 1.0)})
    assert names(record, severe=True) == ["near-perfect"]
    assert "“tfidf / text_only / logistic” is right on 99.2 % of the test rows" in sentences(record)


def test_no_better_than_the_majority():
    weak = small_record(
        {TEXT: (0.2, 0.3, 0.2, 0.3), IMAGE: (0.9, 0.8, 0.9, 0.8), MAJORITY: (0.25,) * 4}
    )
    assert "1 cell is not clearly better than the baseline “majority” (0.250): “tfidf" in sentences(
        weak
    )
    assert "no better than the majority" not in names(weak, severe=True)
    nothing = small_record({TEXT: (0.2, 0.3, 0.2, 0.3), MAJORITY: (0.25,) * 4})
    assert "no better than the majority" in names(nothing, severe=True)


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        ((0.01, 0.1), "is 0.1, the largest of its range 0.01 and 0.1, on 3 of 4 folds"),
        ((0.1, 1.0), "is 0.1, the smallest of its range 0.1 and 1, on 3 of 4 folds"),
        ((0.01, 0.1, 1.0), None),
        ((0.1,), None),
        (("a", 0.1), None),
    ],
)
def test_a_parameter_on_the_edge_of_its_range(candidates, said):
    cell = replace(TEXT, candidates=(("C", candidates),))
    record = small_record({cell: SMALL_SCORES[TEXT], MAJORITY: (0.25,) * 4})
    assert ("edge of the range" in names(record)) == (said is not None)
    assert said is None or said in sentences(record)


def test_identical_cells():
    record = small_record()  # every cell of it predicts the same
    assert "3 cells predict exactly the same on every row" in sentences(record)
    other = FoldRecord(FUSION.name, 0, 0, 9, np.array([0, 4, 8]), np.eye(3), {}, {}, 0, 0, False)
    changed = tuple(
        other if (fold.cell, fold.fold) == (FUSION.name, 0) else fold for fold in record.folds
    )
    assert "2 cells predict exactly the same" in sentences(replace(record, folds=changed))
    assert {metric.name for metric in METRICS} >= {"accuracy"}


def test_alarms_stand_first_among_the_cautions():
    record = small_record(alarms=("The text gives it away.",))
    assert verdict.facts(record).cautions[0] == "The text gives it away."


def test_the_record_knows_what_was_chosen_from(tmp_path, monkeypatch):
    from pipeline import run

    records = []
    register(monkeypatch)
    without_report(monkeypatch)
    monkeypatch.setattr(run, "write_run", lambda record, *_: records.append(record))
    write_table(tmp_path)
    run_grid(tmp_path)
    by_fusion: dict[str, CellRecord] = {cell.fusion: cell for cell in records[0].cells}
    assert by_fusion["text_only"].candidates == (("C", (1, 100)),)
    assert dict(by_fusion["concat"].candidates)["C"] == (1, 100)
    assert by_fusion["majority"].candidates == ()
