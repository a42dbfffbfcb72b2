"""Folds of whole groups are scikit-learn's."""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from models.preparation.group_folds import GroupFolds


@given(
    rows=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 30)), min_size=20, max_size=120),
    folds=st.integers(2, 6),
    seed=st.integers(0, 99),
)
def test_they_are_those_of_scikit_learn_row_by_row(rows, folds, seed):
    labels, groups = map(np.array, zip(*rows, strict=True))
    drawn = []
    for kind in (StratifiedGroupKFold, GroupFolds):
        splitter = kind(folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                tests = [test.tolist() for _, test in splitter.split(labels, labels, groups)]
            except ValueError as error:
                tests = str(error)
        drawn.append(tests)
    assert drawn[0] == drawn[1]


def test_equal_groups_go_to_the_smallest_fold():
    labels = np.arange(12) % 2
    for _, test in GroupFolds(3).split(labels, labels, np.arange(12)):
        assert np.bincount(labels[test]).tolist() == [2, 2]


def test_scikit_learn_asks_it(monkeypatch):
    """Where it does not any more, the folds are right, and slow: this test says so."""
    asked = []
    choose = GroupFolds._find_best_fold

    def counting(*given, **named):
        asked.append(named)
        return choose(*given, **named)

    monkeypatch.setattr(GroupFolds, "_find_best_fold", counting)
    list(GroupFolds(2).split(np.zeros(4), [0, 1, 0, 1], [0, 1, 2, 3]))
    assert len(asked) == 4
