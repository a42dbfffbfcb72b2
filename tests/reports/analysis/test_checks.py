"""Method checks: each fires on what it is for, and stays silent on a sound run."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from pipeline.config.grid import Split
from pipeline.data.build import build
from pipeline.data.row_check import RowRules
from pipeline.folds.draw import draw
from pipeline.folds.leaks import leaks
from reports.analysis.checks import checks
from reports.fold_record import CellRecord, FoldRecord
from reports.sections import verdict
from tests.support.realistic import realistic_record
from tests.support.records import FUSION, IMAGE, MAJORITY, METRICS, SMALL_SCORES, TEXT, small_record
from tests.support.samples import WORDS, small_samples
from tests.support.tiny import GRID, register, run_grid, without_report, write_grid, write_table


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


def test_identical_cells_small_classes_and_uneven_folds():
    record = small_record()  # every cell of it predicts the same, of twelve rows in three classes
    assert "3 cells predict exactly the same on every row" in sentences(record)
    assert "3 classes have fewer than 10 rows" in sentences(record)
    assert "tests as few as 3 rows of 3 classes" in sentences(record)
    uneven = replace(
        record,
        folds=tuple(
            replace(fold, rows=np.arange(9), probabilities=np.tile(fold.probabilities, (3, 1)))
            if fold.fold == 0
            else fold
            for fold in record.folds
        ),
    )
    assert "they test 3 to 9 rows" in sentences(uneven)
    other = FoldRecord(FUSION.name, 0, 0, 9, np.array([0, 4, 8]), np.eye(3), {}, {}, 0, 0, False)
    changed = tuple(
        other if (fold.cell, fold.fold) == (FUSION.name, 0) else fold for fold in record.folds
    )
    assert "2 cells predict exactly the same" in sentences(replace(record, folds=changed))
    assert {metric.name for metric in METRICS} >= {"accuracy"}


# --- what the data give away


def raised(samples, store, group="none"):
    dataset = build(samples, ["image", "text"], RowRules("fail", group), store)
    return leaks(dataset, draw(dataset, Split(folds=3), 0))


def test_texts_that_name_their_class_in_random_folds_are_cried_out(store):
    """As CIFAR-10's search terms: nine terms, each of a single class, in thirty-six rows."""
    rows = itertools.product(WORDS, range(12))
    terms = [f"{label}_{WORDS[label].split()[row % 3]}" for label, row in rows]
    samples = small_samples(texts=terms, groups={"term": terms})
    alarms = raised(samples, store)
    assert [check.name for check in alarms if check.severe] == [
        "known in training",
        "label in the text",
        "groups ignored",
    ]
    text = " ".join(check.sentence for check in alarms)
    assert (
        "The text gives the class away: 100.0% of the test rows have a text that also stands in "
        "the training rows, and 100.0% of these have the class it has there (9 distinct texts in "
        "36 rows"
    ) in text
    assert "“cat” (100% of its rows, 0.0% of the others)" in text
    assert "say split.group: term" in text.lower()
    assert [check.name for check in raised(samples, store, "term")] == ["label in the text"]


def test_ordinary_texts_are_not(store):
    assert raised(small_samples(), store) == ()
    mixed = [f"term{row % 4}" for row in range(36)]  # repeated texts that say nothing of the class
    assert raised(small_samples(texts=mixed), store) == ()


def test_a_class_name_that_stands_everywhere_names_no_class(store):
    texts = [f"cat dog car item{row}" for row in range(36)]
    assert raised(small_samples(texts=texts), store) == ()


def test_alarms_reach_the_terminal_and_the_verdict(tmp_path, monkeypatch, capsys):
    register(monkeypatch)
    without_report(monkeypatch)
    write_table(tmp_path, texts=[f"{label} picture" for label in np.repeat(list(WORDS), 12)])
    write_grid(tmp_path, GRID)
    assert run_grid(tmp_path) == 0
    error = capsys.readouterr().err
    assert "ALARM: The text gives the class away" in error
    assert "ALARM: The text names the class" in error
    assert "ALARM: The text alone all but gives the class away" in error
    assert (
        verdict.facts(small_record(alarms=("The text gives it away.",))).cautions[0]
        == "The text gives it away."
    )


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
