"""Method checks: each fires on what it is for, and stays silent on a sound run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.testing.records import (
    FUSION,
    IMAGE,
    MAJORITY,
    METRICS,
    SMALL_SCORES,
    TEXT,
    small_record,
)
from reports.analysis.checks import checks, encoding_checks
from reports.fold_record import CellRecord, FoldRecord
from reports.sections import verdict
from reports.work_record import EncodedRecord
from tests.support.realistic import realistic_record
from tests.support.tiny import recorded_runs, register, run_grid, without_report, write_table


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
        ((0.01, 0.1), "is 0.1, the largest of 0.01 and 0.1, on 3 of 4 folds"),
        ((0.1, 1.0), "is 0.1, the smallest of 0.1 and 1, on 3 of 4 folds"),
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


def test_edges_are_told_in_one_line_and_of_cells_that_matter_alone():
    def on_edge(cell):
        return replace(cell, candidates=(("C", (0.01, 0.1)),))

    cells = {cell: on_edge(cell) for cell in (IMAGE, TEXT, FUSION)}
    record = small_record({cells[cell]: SMALL_SCORES[cell] for cell in cells})
    (said,) = (check.sentence for check in checks(record) if check.name == "edge of the range")
    assert TEXT.name in said  # the best single modality
    assert FUSION.name in said
    assert IMAGE.name not in said


def test_what_encoders_did_not_read_is_told_where_it_is_much():
    encoded = [
        EncodedRecord("sbert", 1966, {"empty texts": 0, "texts cut off": 672}),
        EncodedRecord("tfidf", 100, {"texts without a known term": 5}),
        EncodedRecord("word2vec", 100, {"words": 900, "texts without a known word": 30}),
    ]
    said = [check.sentence for check in encoding_checks(encoded)]
    assert said == [
        "sbert: 672 of 1,966 texts cut off: take a model that reads more of each text, or put what "
        "matters first.",
        "word2vec: 30 of 100 texts without a known word: take other vectors, or vectors: train.",
    ]


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
    register(monkeypatch)
    without_report(monkeypatch)
    records = recorded_runs(monkeypatch)
    write_table(tmp_path)
    run_grid(tmp_path)
    by_fusion: dict[str, CellRecord] = {cell.fusion: cell for cell in records[0].cells}
    assert by_fusion["text_only"].candidates == (("C", (1, 100)),)
    assert dict(by_fusion["concat"].candidates)["C"] == (1, 100)
    assert by_fusion["majority"].candidates == ()
