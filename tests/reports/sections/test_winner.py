"""The winner, class by class, by value."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pipeline.testing.records import TEXT, small_record
from reports.charts.heat_map import heat_map
from reports.fold_record import FoldRecord
from reports.sections import winner


def _entry(repeat: int, predicted: list[int], rows: list[int]) -> FoldRecord:
    return FoldRecord(
        TEXT.name,
        repeat,
        0,
        4,
        np.array(rows),
        np.eye(3)[predicted],
        {},
        {"balanced_accuracy": 0.5},
        0.1,
        0.1,
        False,
    )


def test_winner_counts_are_means_over_repeats():
    record = replace(
        small_record({TEXT: (0.5,)}),
        labels=np.array([0, 0, 1, 1]),
        folds=(_entry(0, [0, 0, 1, 0], [0, 1, 2, 3]), _entry(1, [0, 1, 1, 1], [0, 1, 2, 3])),
    )
    facts = winner.facts(record)
    assert facts.matrix == ((1.5, 0.5, 0.0), (0.5, 1.5, 0.0), (0.0, 0.0, 0.0))
    assert (facts.repeats, facts.predictions) == (2, 8)
    cat, _, owl = facts.classes
    assert (cat.precision, cat.recall, cat.f1, cat.support) == (0.75, 0.75, 0.75, 2.0)
    # a class that is neither there nor predicted has no scores, rather than zeros
    assert [math.isnan(value) for value in (owl.precision, owl.recall, owl.f1)] == [True] * 3
    assert [(c.true, c.predicted, c.count, c.share) for c in facts.confusions] == [
        ("cat", "dog", 0.5, 0.25),
        ("dog", "cat", 0.5, 0.25),
    ]


def test_of_many_classes_those_that_are_confused_most_are_drawn():
    names = tuple(f"class {i}" for i in range(60))
    record = small_record(classes=names)
    folds = tuple(
        replace(fold, probabilities=np.eye(60)[np.arange(len(fold.rows))[::-1]])
        for fold in record.folds
    )
    facts = winner.facts(replace(record, folds=folds))
    chart = winner.charts(facts)["confusion"]
    squares = chart.spec["data"]["values"]
    # each fold has a row of the classes 0, 1 and 2, and predicts 2, 1, 0: class 1 is never wrong
    assert {square["true"] for square in squares} == {"class 0", "class 2"}
    assert {square["percent"] for square in squares} == {"100"}
    assert chart.spec["encoding"]["x"]["scale"]["domain"] == ["class 0", "class 2"]
    assert chart.caption.startswith("The 2 of 60 classes in the most frequent confusions.")
    assert 0 < len(facts.confusions) <= winner.CONFUSIONS


def test_classes_stand_by_f1_the_lowest_first_and_undefined_ones_last():
    record = small_record()
    facts = winner.facts(replace(record, classes=(*record.classes, "emu")))
    assert [row.name for row in facts.by_f1] == ["cat", "dog", "owl", "emu"]
    assert [round(row.f1, 3) for row in facts.by_f1[:3]] == [0.857, 0.889, 1.0]


def test_shares_are_of_all_rows_of_a_class_also_where_others_are_not_drawn():
    spec = heat_map(["a", "b"], [[6.0, 2.0], [0.0, 5.0]], [16.0, 5.0])
    shares = {(square["true"], square["predicted"]): square["share"]
              for square in spec["data"]["values"]}
    assert shares == {("a", "a"): 0.375, ("a", "b"): 0.125, ("b", "b"): 1.0}
