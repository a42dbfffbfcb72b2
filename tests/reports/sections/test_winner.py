"""The winner, class by class, by value."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from reports.fold_record import FoldRecord
from reports.sections import winner
from tests.support.records import TEXT, small_record


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


def test_many_classes_are_listed_instead_of_drawn():
    names = tuple(f"class {i}" for i in range(60))
    record = small_record(classes=names)
    folds = tuple(
        replace(fold, probabilities=np.eye(60)[np.arange(len(fold.rows))[::-1]])
        for fold in record.folds
    )
    facts = winner.facts(replace(record, folds=folds))
    assert winner.charts(facts) == {}
    assert 0 < len(facts.confusions) <= winner.CONFUSIONS
