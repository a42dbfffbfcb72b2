"""Folds: the same for every cell, no group in two of them, nothing scored that was learned from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.grid import Split
from pipeline.data.build import build
from pipeline.data.dataset import DatasetError
from pipeline.data.row_check import RowRules
from pipeline.folds.draw import draw, stratified
from pipeline.folds.fold import Fold
from pipeline.folds.stored import save
from pipeline.folds.wording import describe, remarks
from pipeline.seeds import derive
from pipeline.store.folder import FolderStore
from tests.support.datasets import dataset_of
from tests.support.samples import small_samples


@settings(max_examples=30)
@given(
    st.integers(2, 5),
    st.integers(1, 3),
    st.integers(2, 4),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_every_row_is_scored_once_a_repeat_and_never_learned_from(
    count, repeats, inner, seed, grouped
):
    labels = np.repeat([0, 1, 2], 30)
    groups = np.arange(90) // 2 if grouped else None
    drawn = draw(dataset_of(labels, groups), Split(folds=count, repeats=repeats, inner=inner), seed)
    assert len(drawn) == count * repeats
    for repeat in range(repeats):
        tests = np.concatenate([fold.test for fold in drawn if fold.repeat == repeat])
        assert sorted(tests) == list(range(90))
    for fold in drawn:
        assert set(fold.train) | set(fold.test) == set(range(90))
        assert not set(fold.train) & set(fold.test)
        assert sorted(np.concatenate([scored for _, scored in fold.inner])) == list(fold.train)
        for train, scored in fold.inner:
            assert not set(train) & set(scored)
            assert set(train) | set(scored) == set(fold.train)
        for train, scored in ((fold.train, fold.test), *fold.inner):
            if groups is not None:
                assert not set(groups[train]) & set(groups[scored])


def test_folds_are_stratified():
    drawn = draw(dataset_of([0] * 80 + [1] * 20), Split(folds=5, repeats=1), 0)
    assert [int(np.sum(fold.test >= 80)) for fold in drawn] == [4] * 5


def test_the_seed_alone_decides():
    data = dataset_of(np.repeat([0, 1], 50))
    first, again, other = (draw(data, Split(folds=3, repeats=2), seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a.test, b.test) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.test, b.test) for a, b in zip(first, other, strict=True))
    assert not np.array_equal(first[0].test, first[3].test)


def test_holdout_and_official_split():
    data = dataset_of(
        np.repeat([0, 1], 50), split=["train"] * 40 + ["test"] * 10 + ["train"] * 40 + ["test"] * 10
    )
    (held,) = draw(data, Split(holdout=0.2), 0)
    assert len(held.test) == 20
    (official,) = draw(data, Split(official=True), 0)
    assert list(official.test) == [*range(40, 50), *range(90, 100)]
    assert len(draw(data, Split(holdout=0.2, repeats=4), 0)) == 4
    grouped = replace(data, groups=np.arange(100) // 5, group_name="g")
    (held,) = draw(grouped, Split(holdout=0.25), 0)
    assert not set(grouped.groups[held.train]) & set(grouped.groups[held.test])


def test_an_official_split_that_is_not_there_is_an_error():
    with pytest.raises(DatasetError, match="no official split"):
        draw(dataset_of([0, 1] * 10), Split(official=True), 0)
    with pytest.raises(DatasetError, match="20 rows are train, 0 are test"):
        draw(dataset_of([0, 1] * 10, split=["train"] * 20), Split(official=True), 0)


def test_too_few_groups_are_an_error():
    with pytest.raises(DatasetError, match=r"split.folds: the 3 groups cannot make 5 folds"):
        draw(dataset_of([0, 1] * 15, np.arange(30) % 3), Split(folds=5, repeats=1), 0)
    with pytest.raises(
        DatasetError,
        match=r"split.inner: the 2 groups of the training rows of a fold cannot make 3",
    ):
        draw(dataset_of([0, 1] * 15, np.arange(30) % 3), Split(folds=3, repeats=1), 0)


def test_classes_too_small_for_the_inner_folds_are_an_error():
    with pytest.raises(
        DatasetError,
        match=r"split.inner: the largest class of the training rows of a fold has 2 rows",
    ):
        draw(dataset_of(np.repeat(np.arange(50), 3)), Split(folds=3, repeats=1), 0)


@pytest.mark.parametrize("share", [0.01, 0.999])
def test_a_share_that_leaves_a_part_with_fewer_rows_than_classes_is_an_error(share):
    data = dataset_of(np.repeat(np.arange(3), 8))
    with pytest.raises(DatasetError) as raised:
        draw(data, Split(holdout=share), 0)
    said = str(raised.value)
    assert f"split.holdout: {share:g} of 24 rows holds out" in said
    assert "3 classes need 3 rows in each" in said
    assert "Take a share from 0.125 to 0.875." in said
    (fold,) = draw(data, Split(holdout=0.125), 0)
    assert len(fold.test) == 3


@pytest.mark.parametrize("share", [0.1, 0.3, 0.4, 0.7])
def test_a_grouped_hold_out_takes_the_share_that_is_asked_for(share):
    data = dataset_of(np.repeat([0, 1], 200), np.arange(400) // 4)
    drawn = draw(data, Split(holdout=share), 0)
    assert abs(len(drawn[0].test) / 400 - share) < 0.03
    assert f"{len(drawn[0].test) / 400:.0%}" in describe(Split(holdout=share), data, drawn)


def test_groups_that_the_official_split_divides_are_counted():
    data = dataset_of([0, 1] * 10, groups=[0, 0, 0, *range(1, 18)], split=["train", "test"] * 10)
    lines = remarks(data, draw(data, Split(official=True), 0))
    assert any("1 group has rows in both" in line for line in lines)


def test_a_class_without_training_rows_is_said():
    data = dataset_of([0] * 10 + [1] * 10)
    lines = remarks(data, [Fold(0, 3, np.arange(10), np.arange(10, 20), ())])
    assert "Classes without training rows: “1” in 1 of 1 fold." in lines


def test_absent_classes_are_said_in_one_line_however_many_there_are():
    data = dataset_of([0] * 40 + list(range(1, 41)))
    lines = remarks(data, draw(data, Split(folds=5, repeats=2), 0))
    (line,) = (line for line in lines if "test rows" in line)
    assert line.startswith("Classes without test rows: “")
    assert line.count(" in 8 of 10 folds") == 5
    assert line.endswith(" and 35 more classes.")


def test_what_is_saved_says_which_row_was_where(tmp_path, store):
    data = build(small_samples(), ("text",), RowRules("fail"), store)
    drawn = draw(data, Split(folds=3, repeats=2, inner=2), 0)
    save(drawn, data.ids, tmp_path / "folds.npz")
    saved = np.load(tmp_path / "folds.npz", allow_pickle=False)
    assert list(saved["ids"]) == list(data.ids)
    assert list(zip(saved["repeat"], saved["fold"], strict=True)) == [
        (f.repeat, f.fold) for f in drawn
    ]
    for row, fold in enumerate(drawn):
        assert list(np.flatnonzero(saved["outer"][row] == 1)) == list(fold.train)
        assert list(np.flatnonzero(saved["outer"][row] == 2)) == list(fold.test)
        assert list(np.flatnonzero(saved["inner"][row] == 1)) == list(fold.inner[1][1])
        assert np.all(saved["inner"][row][fold.test] == -1)


@pytest.mark.parametrize(("split", "words"), [
    (Split(folds=5, repeats=2), "5 outer folds drawn 2 times, stratified by class"),
    (Split(holdout=0.2), "One hold-out of 20%"), (Split(official=True), "official split")])
def test_the_split_is_described_in_a_sentence(split, words):
    data = dataset_of([0, 1] * 20, split=["train", "test"] * 20)
    assert words in describe(split, data, draw(data, split, 0))


@pytest.mark.parametrize("split", [
    Split(folds=3, repeats=2, inner=2), Split(holdout=0.3, repeats=2), Split(official=True)])
def test_grouped_folds_are_drawn_once_and_come_back_the_same(split, tmp_path, monkeypatch):
    data = dataset_of([0, 1] * 30, np.arange(60) // 4, split=["train"] * 44 + ["test"] * 16)
    plain, store = draw(data, split, 3), FolderStore(tmp_path)
    first = draw(data, split, 3, store)
    other = draw(data, split, 4, store)
    monkeypatch.setattr("pipeline.folds.draw._drawn", None)
    for fold, stored, reread in zip(plain, first, draw(data, split, 3, store), strict=True):
        for same in (stored, reread):
            assert (fold.repeat, fold.fold) == (same.repeat, same.fold)
            for ours, theirs in zip(fold.splits(), same.splits(), strict=True):
                for part, whole in zip(ours, theirs, strict=True):
                    np.testing.assert_array_equal(part, whole)
    if not split.official:
        assert any(
            fold.test.tolist() != another.test.tolist()
            for fold, another in zip(plain, other, strict=True)
        )
    with pytest.raises(TypeError):
        draw(
            dataset_of([1, 0] * 30, np.arange(60) // 4, split=["train"] * 44 + ["test"] * 16),
            split,
            3,
            store,
        )


@pytest.mark.parametrize(
    ("sizes", "classes"),
    [
        ([15, 20, 34, 33, 20], 6),
        ([10, 11, 35, 27, 29, 25, 4, 10, 2, 5], 4),
        ([18, 33, 36, 6, 20], 2),
    ],
)
def test_no_fold_is_empty_where_groups_are_as_many_as_folds(sizes, classes):
    """Groups of one class each: scikit-learn leaves a fold empty by a rounding error, at times."""
    rng = np.random.default_rng(0)
    for seed in range(60):
        labels = np.repeat(rng.integers(0, classes, len(sizes)), sizes)
        groups = np.repeat(np.arange(len(sizes)), sizes)
        if np.bincount(labels).max() < len(sizes):
            continue
        drawn = stratified(labels, groups, len(sizes), seed, "split.folds")
        tested = [np.unique(groups[test]) for _, test in drawn]
        assert all(len(of_fold) == 1 for of_fold in tested)
        assert sorted(np.concatenate(tested)) == list(range(len(sizes)))
        assert all(
            sorted(np.concatenate([train, test])) == list(range(len(labels)))
            for train, test in drawn
        )


@pytest.mark.parametrize("seed", range(20))
def test_five_sites_make_five_folds(seed):
    """Sites of mixed classes, as scikit-learn's issue 34828 has them."""
    sites = np.repeat(range(5), [3, 4, 7, 7, 7])
    labels = np.array(
        [0, 1, 0, 1, 0, 3, 1, 2, 3, 2, 2, 3, 2, 2, 3, 2, 1, 1, 1, 1, 3, 2, 2, 2, 0, 0, 1, 2]
    )
    drawn = stratified(labels, sites, 5, derive(seed, "folds", 0), "split.folds")
    assert sorted(len(test) for _, test in drawn) == [3, 4, 7, 7, 7]
