"""The context of tasks: what comes back from the store is what was put there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.config.grid import Split
from pipeline.data.dataset import ClassTextIndex
from pipeline.folds.few_labels import few_labels
from pipeline.folds.fold import Fold, with_unlabelled
from pipeline.store.folder import FolderStore
from pipeline.tasks.context import Context, context_at, context_of
from tests.support.datasets import dataset_of

CLASSES = 3


def positions(n: int, highest: int) -> st.SearchStrategy[NDArray[np.int64]]:
    """Codes (n,) from -1."""
    codes = st.lists(st.integers(-1, highest), min_size=n, max_size=n)
    return codes.map(lambda drawn: np.array(drawn, dtype=np.int64))


@st.composite
def folds_of(
    draw: st.DrawFn, labels: NDArray[np.int64], groups: NDArray[np.int64] | None, number: int
) -> Fold:
    """A fold of labelled rows, with or without inner splits, and all others as unlabelled rows."""
    roles = draw(st.lists(st.integers(0, 2), min_size=len(labels), max_size=len(labels)))
    labelled = labels >= 0
    train = np.flatnonzero((np.array(roles) == 0) & labelled)
    test = np.flatnonzero((np.array(roles) == 1) & labelled)
    assume(len(train))
    count = draw(st.integers(0, min(3, len(train))))
    inner: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...] = ()
    if count >= 2:
        order = np.array(draw(st.permutations(range(len(train)))))
        inner = tuple(
            (np.delete(train, part), train[np.sort(part)]) for part in np.array_split(order, count)
        )
    rest = np.setdiff1d(np.arange(len(labels)), np.union1d(train, test))
    hidden = rest if draw(st.booleans()) else np.flatnonzero(~labelled)
    return with_unlabelled(Fold(number // 2, number % 2, train, test, inner), hidden, groups)


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    n = draw(st.integers(2, 14))
    labels = draw(positions(n, CLASSES - 1))
    groups = draw(st.none() | positions(n, 4).map(lambda codes: codes + 1))
    index = {
        modality: draw(positions(n, n - 1))
        for modality in draw(st.sets(st.sampled_from(["image", "text"]), min_size=1))
    }
    class_texts = None
    if draw(st.booleans()):
        size = draw(st.integers(0, 4))
        class_texts = ClassTextIndex(draw(positions(size, 2)), draw(positions(size, 5)))
    folds = [draw(folds_of(labels, groups, number)) for number in range(draw(st.integers(0, 3)))]
    metric = draw(st.sampled_from(["log_loss", "accuracy"]))
    return Context(labels, CLASSES, index, groups, metric, class_texts, tuple(folds))


def assert_equal_rows(first: NDArray[np.int64] | None, second: NDArray[np.int64] | None) -> None:
    assert (first is None) == (second is None)
    if first is not None:
        np.testing.assert_array_equal(first, second)
        assert first.dtype == second.dtype


def assert_equal_folds(first: Fold, second: Fold) -> None:
    assert (first.repeat, first.fold) == (second.repeat, second.fold)
    assert len(first.inner) == len(second.inner)
    for split, same in zip(first.splits(), second.splits(), strict=True):
        for rows, same_rows in zip(split, same, strict=True):
            assert_equal_rows(rows, same_rows)


def assert_equal(first: Context, second: Context) -> None:
    assert_equal_rows(first.labels, second.labels)
    assert_equal_rows(first.groups, second.groups)
    assert (first.classes, first.tuning_metric) == (second.classes, second.tuning_metric)
    assert set(first.index) == set(second.index)
    for modality, rows in first.index.items():
        assert_equal_rows(rows, second.index[modality])
    assert (first.class_texts is None) == (second.class_texts is None)
    if first.class_texts is not None:
        assert_equal_rows(first.class_texts.classes, second.class_texts.classes)
        assert_equal_rows(first.class_texts.positions, second.class_texts.positions)
    for fold, same in zip(first.folds, second.folds, strict=True):
        assert_equal_folds(fold, same)


def there_and_back(context: Context) -> Context:
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        return context_at(FolderStore(Path(folder)), context.put(store))


@settings(max_examples=60)
@given(contexts())
def test_what_comes_back_is_what_was_put(context):
    back = there_and_back(context)
    assert_equal(context, back)
    assert back.key == context.key


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("share", [0.05, 0.5])
@settings(max_examples=15)
@given(seed=st.integers(0, 1000))
def test_folds_of_few_labels_come_back(grouped, share, seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], [20, 10, 6])
    groups = rng.integers(0, 12, len(labels)) if grouped else None
    dataset = dataset_of(labels, groups)
    tested = rng.permutation(12)[:4] if grouped else rng.permutation(36)[:12]
    test = np.flatnonzero(np.isin(groups if grouped else np.arange(36), tested))
    train = np.setdiff1d(np.arange(36), test)
    grid = SimpleNamespace(seed=seed, split=Split(folds=3, repeats=1, inner=3))
    fold = few_labels(Fold(0, 0, train, test, ()), share, grid, dataset)
    assert len(fold.outer.unlabelled)
    assert_equal_folds(fold, there_and_back(context_of(dataset, [fold], "log_loss")).fold(0, 0))


def whole() -> Context:
    """A context that has everything."""
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1, -1, -1])
    groups = np.arange(10) // 2
    train, test = np.arange(6), np.array([6, 7])
    inner = ((train[2:], train[:2]), (train[:4], train[4:]))
    fold = with_unlabelled(Fold(0, 0, train, test, inner), np.array([8, 9]), groups)
    index = {"image": np.arange(10), "text": np.arange(10)[::-1].copy()}
    class_texts = ClassTextIndex(np.arange(3), np.arange(3))
    return Context(labels, 3, index, groups, "log_loss", class_texts, (fold,))


def other(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same rows but for one."""
    return np.where(np.arange(len(rows)) == 1, rows + 1, rows)


def with_fold(context: Context, change: Callable[[Fold], Fold]) -> Context:
    return replace(context, folds=(change(context.folds[0]),))


CHANGES: dict[str, Callable[[Context], Context]] = {
    "a label": lambda context: replace(context, labels=other(context.labels)),
    "the number of classes": lambda context: replace(context, classes=4),
    "a picture": lambda context: replace(
        context, index={**context.index, "image": other(context.index["image"])}
    ),
    "a modality less": lambda context: replace(context, index={"image": context.index["image"]}),
    "a modality's name": lambda context: replace(
        context, index={"image": context.index["text"], "text": context.index["image"]}
    ),
    "a group": lambda context: replace(context, groups=other(context.groups)),
    "no groups": lambda context: replace(context, groups=None),
    "the metric": lambda context: replace(context, tuning_metric="accuracy"),
    "a class text": lambda context: replace(
        context, class_texts=ClassTextIndex(np.arange(3), other(np.arange(3)))
    ),
    "a text's class": lambda context: replace(
        context, class_texts=ClassTextIndex(other(np.arange(3)), np.arange(3))
    ),
    "no class texts": lambda context: replace(context, class_texts=None),
    "no folds": lambda context: replace(context, folds=()),
    "a fold more": lambda context: replace(
        context, folds=(*context.folds, replace(context.folds[0], fold=1))
    ),
    "a fold's number": lambda context: with_fold(context, lambda fold: replace(fold, repeat=1)),
    "a test row less": lambda context: with_fold(
        context, lambda fold: replace(fold, test=fold.test[:1])
    ),
    "no inner folds": lambda context: with_fold(context, lambda fold: replace(fold, inner=())),
    "other inner folds": lambda context: with_fold(
        context, lambda fold: replace(fold, inner=fold.inner[::-1])
    ),
    "no unlabelled rows": lambda context: with_fold(
        context, lambda fold: replace(fold, unlabelled=())
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_gives_another_key(change):
    changed = CHANGES[change](whole())
    assert changed.key != whole().key
    assert there_and_back(changed).key == changed.key


@settings(max_examples=40)
@given(contexts())
def test_equal_content_has_an_equal_key(context):
    copied = Context(
        context.labels.copy(),
        context.classes,
        {modality: context.index[modality] for modality in reversed(list(context.index))},
        None if context.groups is None else context.groups.copy(),
        context.tuning_metric,
        context.class_texts,
        context.folds,
    )
    assert copied.key == context.key


def test_the_same_is_stored_once(store):
    assert whole().put(store) == whole().put(store)
    assert len(store.entries()) == 1


def test_a_context_is_read_once_in_a_process(store):
    key = whole().put(store)
    assert context_at(store, key) is context_at(store, key)


def test_folds_are_known_by_their_numbers_and_may_leave_out_the_inner_ones():
    context = whole()
    assert context.fold(0, 0) is context.folds[0]
    assert context.fold(0, 0, with_inner=False).inner == ()
    assert context.reference(context.folds[0], 2) == (context.key, 0, 0, 2)


def test_a_context_that_was_removed_is_an_error_that_says_what_to_do(store):
    with pytest.raises(FileNotFoundError, match=r"rows and folds .* were removed .* run again"):
        context_at(store, whole().key)
