"""Folds that models draw inside their training rows: by class, and never through a group."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import calibration
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from models.classifiers.logistic import Logistic
from models.classifiers.svm import LinearSVM
from models.early.concat import Concat
from models.kept import RECENT
from models.late.late import Late
from models.preparation import inner_folds
from models.preparation.inner_folds import stratified_folds
from models.views import Views
from pipeline.testing.views import views


@given(
    st.integers(1, 40),
    st.integers(1, 4),
    st.integers(1, 12),
    st.integers(2, 6),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_every_row_is_held_out_once_and_groups_stay_whole(n, classes, groups, count, seed):
    rng = np.random.default_rng(seed)
    y, group = rng.integers(classes, size=n), rng.integers(groups, size=n)
    folds = stratified_folds(y, count, seed, group)
    assert len(folds) <= count
    assert bool(folds) == (min(np.bincount(y).max(), len(np.unique(group))) > 1)
    for train, held_out in folds:
        assert not set(group[train]) & set(group[held_out])
        np.testing.assert_array_equal(np.sort(np.r_[train, held_out]), np.arange(n))
    if folds:
        np.testing.assert_array_equal(
            np.sort(np.concatenate([held_out for _, held_out in folds])), np.arange(n)
        )


@pytest.mark.parametrize("group", [np.arange(60) // 4, None])
def test_equal_classes_and_groups_are_divided_once_and_as_scikit_learn_does(group, monkeypatch):
    RECENT.clear()
    drawn, draw = [], inner_folds._drawn
    monkeypatch.setattr(inner_folds, "_drawn", lambda *given: drawn.append(given) or draw(*given))
    y = np.arange(60) ** 2 % 7
    kind = StratifiedKFold if group is None else StratifiedGroupKFold
    for classes in (y, np.char.add("class ", y.astype(str))):
        expected = kind(4, shuffle=True, random_state=3).split(y, y, group)
        for (train, held_out), (inside, outside) in zip(
            stratified_folds(classes, 4, 3, group), expected, strict=True
        ):
            np.testing.assert_array_equal(train, inside)
            np.testing.assert_array_equal(held_out, outside)
            train[:] = 0  # it is the caller's own
    assert len(drawn) == 1
    for other in (
        (y[::-1], 4, 3, group),
        (y, 5, 3, group),
        (y, 4, 2, group),
        (y, 4, 3, np.arange(60) // 2),
    ):
        stratified_folds(*other)
    assert len(drawn) == 5


def grouped() -> tuple[Views, np.ndarray]:
    both, y = views(n=90)
    return Views(both.image, both.text, np.arange(90) // 6), y


def test_the_sigmoids_of_an_svm_see_decisions_for_whole_groups(monkeypatch):
    drawn, calibrated = [], calibration.CalibratedClassifierCV
    monkeypatch.setattr(
        calibration,
        "CalibratedClassifierCV",
        lambda *given, cv, **more: drawn.append(cv) or (calibrated(*given, cv=cv, **more)),
    )
    train, y = grouped()
    Concat(LinearSVM()).fit(train, y)
    assert len(drawn[0]) == 5
    for inside, outside in drawn[0]:
        assert not set(train.groups[inside]) & set(train.groups[outside])


@pytest.mark.parametrize("rule", ["weighted", "stacking"])
def test_late_fusion_alone_learns_from_folds_of_whole_groups(rule, monkeypatch):
    seen, learn = [], Late.fit_combination
    monkeypatch.setattr(
        Late, "fit_combination", lambda self, f, inner: seen.append(inner) or learn(self, f, inner)
    )
    train, y = grouped()
    Late(Logistic(), rule=rule).fit(train, y)
    for group in np.unique(train.groups):
        assert len(set(seen[0].folds[train.groups == group])) == 1
