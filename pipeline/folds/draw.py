"""Outer and inner splits: drawn once from labels, groups and seed, shared by every cell."""

from __future__ import annotations

from math import ceil, floor

import numpy as np

from pipeline.config.grid import Split
from pipeline.data.dataset import Dataset, DatasetError
from pipeline.data.rows import Groups, Labels, Rows
from pipeline.folds.fold import Fold, with_unlabelled
from pipeline.folds.stored import entry_of, folds_of, ingredients_of
from pipeline.folds.unseen_classes import check_official, class_folds, class_holdout
from pipeline.seeds import derive
from pipeline.store.store import Store
from reports.wording import count as counted

PARTS = 20  # a grouped hold-out is made of twentieths


def draw(dataset: Dataset, split: Split, seed: int, store: Store | None = None) -> tuple[Fold, ...]:
    """Every outer fold with its inner folds.

    Outer folds are stratified by class, or hold out whole classes where the split says
    `unseen_classes`; with groups, no group straddles folds (inner ones neither). Where a store is
    given, they are drawn once for the same labels and groups: keeping groups whole takes seconds,
    and a run whose folds are stored does without scikit-learn.

    Raises
    ------
    DatasetError
        Where the data cannot be split as asked.
    """
    if store is None:
        drawn = _drawn(dataset, split, seed)
    else:
        entry = store.get(
            ingredients_of(dataset, split, seed),
            lambda: entry_of(_drawn(dataset, split, seed), dataset),
            lambda stored: stored.arrays["outer"].shape[1] == len(dataset),
        )
        drawn = folds_of(entry)
    unlabelled = np.flatnonzero(dataset.labels < 0)
    if split.official and dataset.split is not None:
        unlabelled = unlabelled[dataset.split[unlabelled] == "train"]
    return tuple(with_unlabelled(fold, unlabelled, dataset.groups) for fold in drawn)


def _drawn(dataset: Dataset, split: Split, seed: int) -> list[Fold]:
    folds = []
    for repeat in range(split.repeats):
        outer_seed = derive(seed, "folds", repeat)
        for number, (train, test) in enumerate(_outer(dataset, split, outer_seed)):
            inner_seed = derive(seed, "inner folds", repeat, number)
            folds.append(
                Fold(repeat, number, train, test, _inner(dataset, train, split, inner_seed))
            )
    return folds


def inner_folds(
    dataset: Dataset, rows: Rows, split: Split, seed: int
) -> tuple[tuple[Rows, Rows], ...]:
    """Inner folds (train, test) of any rows, as those of an outer fold are drawn."""
    return _inner(dataset, rows, split, derive(seed, "inner folds of all rows"))


def _official(dataset: Dataset, unseen_classes: bool) -> tuple[Rows, Rows]:
    if dataset.split is None:
        raise DatasetError(["split.official: the source has no official split"],
                           "name its column under data: (split: COLUMN), or draw folds")
    train, test = (
        np.flatnonzero((dataset.split == part) & (dataset.labels >= 0))
        for part in ("train", "test")
    )
    if not len(train) or not len(test):
        parts = f"{counted(len(train), 'row is', 'rows are')} train, {len(test)} are test"
        raise DatasetError([f"split.official: {parts}"],
                           "both parts need rows")
    if unseen_classes:
        check_official(dataset, train, test)
    return train, test


def _outer(dataset: Dataset, split: Split, seed: int) -> list[tuple[Rows, Rows]]:
    if split.official:
        return [_official(dataset, split.unseen_classes)]
    rows = np.flatnonzero(dataset.labels >= 0)
    labels, groups = dataset.labels[rows], None if dataset.groups is None else dataset.groups[rows]
    if split.folds is not None:
        drawn = _divided(split, labels, groups, split.folds, seed, "split.folds")
        return [(rows[train], rows[test]) for train, test in drawn]
    assert split.holdout is not None
    if split.unseen_classes:
        train, test = class_holdout(labels, groups, split.holdout, seed)
        return [(rows[train], rows[test])]
    if groups is not None:
        train, test = _grouped_holdout(labels, groups, split.holdout, seed)
        return [(rows[train], rows[test])]
    _check_share(len(rows), len(np.unique(labels)), split.holdout)
    from sklearn.model_selection import StratifiedShuffleSplit

    splitter = StratifiedShuffleSplit(1, test_size=split.holdout, random_state=seed)
    try:
        return [
            (rows[np.sort(train)], rows[np.sort(test)])
            for train, test in splitter.split(rows, labels)
        ]
    except ValueError as error:
        raise DatasetError([f"split.holdout: {error}"], "Take another share.") from error


def _check_share(n: int, classes: int, share: float) -> None:
    """DatasetError where a share of n rows, or what it leaves, has fewer rows than classes."""
    held_out = ceil(share * n)
    if min(held_out, n - held_out) >= classes or n < 2 * classes:
        return
    least, most = ceil(1e4 * classes / n) / 1e4, floor(1e4 * (n - classes) / n) / 1e4
    reason = (
        f"split.holdout: {share:g} of {counted(n, 'row')} holds out {held_out:,} and leaves "
        f"{n - held_out:,}; {classes} classes need {classes} rows in each"
    )
    raise DatasetError([reason], f"Take a share from {least:g} to {most:g}.")


def _grouped_holdout(
    labels: Labels, groups: Groups, share: float, seed: int
) -> tuple[Rows, Rows]:
    """Hold out the nearest share of rows that whole groups allow: some of 20 stratified parts."""
    count = min(PARTS, len(np.unique(groups)), int(np.bincount(labels).max()))
    parts = stratified(labels, groups, count, seed, "split.holdout")
    held_out = min(max(1, round(count * share)), count - 1)
    test = np.sort(np.concatenate([part for _, part in parts[:held_out]]))
    return np.setdiff1d(np.arange(len(labels)), test), test


def _divided(
    split: Split, labels: Labels, groups: Groups | None, count: int, seed: int, key: str
) -> list[tuple[Rows, Rows]]:
    """(train, test) positions of folds that hold out whole classes, or rows of all."""
    if split.unseen_classes:
        return class_folds(labels, groups, count, seed, key)
    return stratified(labels, groups, count, seed, key)


def _inner(dataset: Dataset, train: Rows, split: Split, seed: int) -> tuple[tuple[Rows, Rows], ...]:
    labels, groups = (
        dataset.labels[train],
        None if dataset.groups is None else dataset.groups[train],
    )
    drawn = _divided(split, labels, groups, split.inner, seed, "split.inner")
    return tuple((train[inside], train[outside]) for inside, outside in drawn)


def stratified(
    labels: Labels, groups: Groups | None, count: int, seed: int, key: str
) -> list[tuple[Rows, Rows]]:
    """Stratified folds; `key` is what the grid calls their number, for messages."""
    from models.preparation.group_folds import stratified_splits

    where = "of the training rows of a fold " if key == "split.inner" else ""
    if groups is not None and len(np.unique(groups)) < count:
        raise DatasetError(
            [
                f"{key}: the {counted(len(np.unique(groups)), 'group')} {where}cannot make {count} "
                "folds"
            ],
            "Take fewer folds, another group column, or group: none.",
        )
    largest = int(np.unique(labels, return_counts=True)[1].max())
    if largest < count:
        raise DatasetError(
            [
                f"{key}: the largest class {where}has {counted(largest, 'row')}, which cannot make "
                f"{count} folds"
            ],
            "Take fewer folds.",
        )
    # classes that are too small are reported by `remarks`, in plain words
    drawn = stratified_splits(labels, count, seed, groups)
    return drawn if groups is None else _without_empty(drawn, groups)


def _without_empty(drawn: list[tuple[Rows, Rows]], groups: Groups) -> list[tuple[Rows, Rows]]:
    """The folds (train, test); an empty one gets the smallest group of a large one with several.

    GroupFolds gives each group to the fold that evens the classes out best; where groups are few
    and of one class each, an empty fold and a full one can be equally good but for a rounding
    error, and the full one gets it.
    """
    tests = [test for _, test in drawn]
    while min(map(len, tests)) == 0:
        several = [test for test in tests if len(np.unique(groups[test])) > 1]
        largest = max(several, key=len)
        names, sizes = np.unique(groups[largest], return_counts=True)
        moved = largest[groups[largest] == names[sizes.argmin()]]
        empty = next(number for number, test in enumerate(tests) if not len(test))
        giving = next(number for number, test in enumerate(tests) if test is largest)
        tests[empty], tests[giving] = moved, np.setdiff1d(largest, moved)
    return [(np.setdiff1d(np.arange(len(groups)), test), test) for test in tests]
