"""Outer and inner splits: drawn once from labels, groups and seed, saved with the run, shared by every cell."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Split
from pipeline.dataset import Dataset, DatasetError
from pipeline.randomness import derive
from pipeline.store import Entry, Store
from pipeline.unseen import check_official, class_folds, class_holdout

Rows = NDArray[np.int64]
Labels = NDArray[np.int64]
Parts = tuple[Rows, Rows, Rows]  # training rows, test rows, rows to learn from without a label
PARTS = 20  # a grouped hold-out is made of twentieths


@dataclass(frozen=True, eq=False)
class Fold:
    """One outer split: sorted row positions, and the inner splits (train, test) of its training rows.

    Parameters
    ----------
    unlabelled : further rows to learn from, without their label: for the outer split, then for each inner one.
        None shares a group with that split's test rows, nor with the outer ones. Empty where there are none.
    """

    repeat: int
    fold: int
    train: Rows
    test: Rows
    inner: tuple[tuple[Rows, Rows], ...]
    unlabelled: tuple[Rows, ...] = ()

    def splits(self) -> list[Parts]:
        """(train, test, unlabelled) of the outer split, then of each inner one."""
        nothing = np.zeros(0, dtype=np.int64)
        pairs = [(self.train, self.test), *self.inner]
        return [(*pair, self.unlabelled[position] if self.unlabelled else nothing)
                for position, pair in enumerate(pairs)]


def draw(dataset: Dataset, split: Split, seed: int, store: Store | None = None) -> tuple[Fold, ...]:
    """Every outer fold with its inner folds.

    Outer folds are stratified by class, or hold out whole classes where the split says `unseen_classes`; with groups,
    no group straddles folds (inner ones neither). Where a
    store is given, they are drawn once for the same labels and groups: keeping groups whole takes seconds, and a
    run whose folds are stored does without scikit-learn.

    Raises
    ------
    DatasetError
        Where the data cannot be split as asked.
    """
    if store is None:
        drawn = _drawn(dataset, split, seed)
    else:
        entry = store.get(_ingredients(dataset, split, seed), lambda: _entry(_drawn(dataset, split, seed), dataset))
        drawn = _folds(entry)
    unlabelled = np.flatnonzero(dataset.labels < 0)
    if split.official and dataset.split is not None:
        unlabelled = unlabelled[dataset.split[unlabelled] == "train"]
    return tuple(with_unlabelled(fold, unlabelled, dataset) for fold in drawn)


def _drawn(dataset: Dataset, split: Split, seed: int) -> list[Fold]:
    if split.official:
        outer = [(0, 0, *_official(dataset, split.unseen_classes))]
    else:
        outer = [(repeat, fold, train, test) for repeat in range(split.repeats)
                 for fold, (train, test) in enumerate(_outer(dataset, split, derive(seed, "folds", repeat)))]
    return [Fold(repeat, fold, train, test,
                 _inner(dataset, train, split, derive(seed, "inner folds", repeat, fold)))
            for repeat, fold, train, test in outer]


def _ingredients(dataset: Dataset, split: Split, seed: int) -> dict[str, Any]:
    groups = None if dataset.groups is None else dataset.groups.tolist()
    return {"kind": "folds", "labels": dataset.labels.tolist(), "groups": groups,
            "official": None if dataset.split is None or not split.official else list(map(str, dataset.split)),
            "split": [split.official, split.folds, split.holdout, split.repeats, split.inner], "seed": seed,
            **({"unseen classes": True} if split.unseen_classes else {}),
            "versions": {name: version(name) for name in ("numpy", "scikit-learn")}}


def _entry(folds: Sequence[Fold], dataset: Dataset) -> Entry:
    outer, inner = _codes(folds, len(dataset))
    numbers = np.array([(fold.repeat, fold.fold) for fold in folds], dtype=np.int64)
    return Entry({"outer": outer, "inner": inner, "numbers": numbers}, {"label": "folds"})


def _folds(entry: Entry) -> list[Fold]:
    """The folds of a stored entry; rows without a label come later."""
    found = []
    for (repeat, fold), outer, inner in zip(*(np.asarray(entry.arrays[name]) for name in ("numbers", "outer", "inner")),
                                            strict=True):
        train = np.flatnonzero(outer == 1)
        of = inner[train]
        found.append(Fold(int(repeat), int(fold), train, np.flatnonzero(outer == 2), tuple(
            (train[of != number], train[of == number]) for number in range(int(of.max()) + 1))))
    return found


def with_unlabelled(fold: Fold, rows: Rows, dataset: Dataset) -> Fold:
    """The fold with rows to learn from without their label: those whose group no test row of the split has."""
    if not len(rows):
        return fold
    outer = _apart(rows, fold.test, dataset.groups)
    return replace(fold, unlabelled=(outer, *(_apart(outer, test, dataset.groups) for _, test in fold.inner)))


def _apart(rows: Rows, test: Rows, groups: NDArray[np.int64] | None) -> Rows:
    return rows[~np.isin(rows, test)] if groups is None else rows[~np.isin(groups[rows], groups[test])]


def _official(dataset: Dataset, unseen_classes: bool) -> tuple[Rows, Rows]:
    if dataset.split is None:
        raise DatasetError(["split.official: the source has no official split"],
                           "name its column under data: (split: COLUMN), or draw folds")
    train, test = (np.flatnonzero((dataset.split == part) & (dataset.labels >= 0)) for part in ("train", "test"))
    if not len(train) or not len(test):
        raise DatasetError([f"split.official: {len(train)} rows are train, {len(test)} are test"],
                           "both parts need rows")
    if unseen_classes:
        check_official(dataset, train, test)
    return train, test


def _outer(dataset: Dataset, split: Split, seed: int) -> list[tuple[Rows, Rows]]:
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
        train, test = _grouped_holdout(rows, labels, groups, split.holdout, seed)
        return [(rows[train], rows[test])]
    from sklearn.model_selection import StratifiedShuffleSplit

    splitter = StratifiedShuffleSplit(1, test_size=split.holdout, random_state=seed)
    try:
        return [(rows[np.sort(train)], rows[np.sort(test)]) for train, test in splitter.split(rows, labels)]
    except ValueError as error:
        raise DatasetError([f"split.holdout: {error}"], "Take another share.") from error


def _grouped_holdout(
    rows: Rows, labels: Labels, groups: NDArray[Any], share: float, seed: int
) -> tuple[Rows, Rows]:
    """Hold out the nearest share of the rows that whole groups allow: some of up to 20 stratified parts."""
    count = min(PARTS, len(np.unique(groups)), int(np.bincount(labels).max()))
    parts = stratified(rows, labels, groups, count, seed, "split.holdout")
    wanted = min(max(1, round(count * share)), count - 1)
    test = np.sort(np.concatenate([part for _, part in parts[:wanted]]))
    return np.setdiff1d(np.arange(len(rows)), test), test


def _divided(
    split: Split, labels: Labels, groups: NDArray[Any] | None, count: int, seed: int, key: str
) -> list[tuple[Rows, Rows]]:
    """(train, test) positions of folds that hold out whole classes, or rows of all."""
    if split.unseen_classes:
        return class_folds(labels, groups, count, seed, key)
    return stratified(np.arange(len(labels)), labels, groups, count, seed, key)


def _inner(dataset: Dataset, train: Rows, split: Split, seed: int) -> tuple[tuple[Rows, Rows], ...]:
    labels, groups = dataset.labels[train], None if dataset.groups is None else dataset.groups[train]
    found = _divided(split, labels, groups, split.inner, seed, "split.inner")
    return tuple((train[inside], train[outside]) for inside, outside in found)


def stratified(
    rows: Rows, labels: Labels, groups: NDArray[Any] | None, count: int, seed: int, key: str
) -> list[tuple[Rows, Rows]]:
    """Stratified folds; `key` is what the grid calls their number, for messages."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    where = "of the training rows of a fold " if key == "split.inner" else ""
    if groups is not None and len(np.unique(groups)) < count:
        raise DatasetError([f"{key}: the {len(np.unique(groups))} groups {where}cannot make {count} folds"],
                           "Take fewer folds, another group column, or group: none.")
    largest = int(np.unique(labels, return_counts=True)[1].max())
    if largest < count:
        raise DatasetError([f"{key}: the largest class {where}has {largest} rows, which cannot make {count} folds"],
                           "Take fewer folds.")
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    with warnings.catch_warnings():  # classes that are too small are reported by `remarks`, in plain words
        warnings.simplefilter("ignore", UserWarning)
        return list(kind(count, shuffle=True, random_state=seed).split(rows, labels, groups))


def describe(split: Split, dataset: Dataset, folds: Sequence[Fold]) -> str:
    """One sentence on how the folds were drawn."""
    grouped = f", no {dataset.group_name} in two folds" if dataset.group_name else ""
    if split.unseen_classes:
        return _describe_unseen(split, dataset, folds, grouped)
    inner = f"parameters chosen on {split.inner} inner folds of the training rows"
    if split.official:
        return f"The official split of the data; {inner}."
    if split.folds:
        times = f" drawn {split.repeats} times" if split.repeats > 1 else ""
        return f"{split.folds} outer folds{times}, stratified by class{grouped}; {inner}."
    times = f"{split.repeats} hold-outs" if split.repeats > 1 else "One hold-out"
    share = np.mean([len(fold.test) / len(dataset) for fold in folds])
    return f"{times} of {share:.0%} of the rows, stratified by class{grouped}; {inner}."


def _describe_unseen(split: Split, dataset: Dataset, folds: Sequence[Fold], grouped: str) -> str:
    tested = [len(np.unique(dataset.labels[fold.test])) for fold in folds]
    few, many = min(tested), max(tested)
    number, chance = (f"{few}", f"{1 / few:.3g}") if few == many else (
        f"{few} to {many}", f"{1 / many:.3g} to {1 / few:.3g}")
    times = f" drawn {split.repeats} times" if split.repeats > 1 else ""
    drawn = "The official split of the data" if split.official else (
        f"{split.folds} outer folds{times}" if split.folds else f"Hold-out{times}")
    return (f"{drawn} of unseen classes{grouped}: a model learns from no row of the classes it is asked about, and "
            f"tells the {number} of its fold apart (by chance: {chance} of balanced accuracy); parameters chosen on "
            f"{split.inner} inner folds of the training classes. Rows of one class are alike, so intervals draw whole "
            "classes. An encoder trained elsewhere may have met these classes there (Xian et al. 2018).")


def remarks(dataset: Dataset, folds: Sequence[Fold], unseen_classes: bool = False) -> list[str]:
    """What a reader must know of these folds: identical samples that straddle, classes that are absent by chance."""
    found = []
    for modality, view in dataset.views.items():
        straddling = max(_straddling(view.index, fold) for fold in folds)
        if straddling:
            noun = "picture" if modality == "image" else "text"
            found.append(f"Identical {noun}s straddle folds: in the worst fold {straddling} test rows have "
                         f"a {noun} that also stands in the training rows.")
    for fold in folds if not unseen_classes else ():
        found += _absent(dataset, fold)
    return found + _split_groups(dataset, folds)


def _split_groups(dataset: Dataset, folds: Sequence[Fold]) -> list[str]:
    """Only the official split can divide groups; the others keep them together."""
    if dataset.groups is None:
        return []
    divided = max(len(np.intersect1d(dataset.groups[fold.train], dataset.groups[fold.test])) for fold in folds)
    return [f"{divided} groups ({dataset.group_name}) have rows in both the training and the test part of the "
            "official split."] if divided else []


def _straddling(index: Rows, fold: Fold) -> int:
    """Test rows whose sample (missing ones aside) also occurs among the training rows."""
    test = index[fold.test]
    return int(np.sum(np.isin(test[test >= 0], index[fold.train])))


def _absent(dataset: Dataset, fold: Fold) -> list[str]:
    present = {part: set(dataset.labels[rows]) for part, rows in (("training", fold.train), ("test", fold.test))}
    return [f"Repeat {fold.repeat}, fold {fold.fold}: no {part} row of class '{name}'."
            for part, labels in present.items()
            for code, name in enumerate(dataset.classes) if code not in labels]


def save(folds: Sequence[Fold], ids: Sequence[str], path: Path) -> None:
    """Write folds.npz: ids (n,); repeat, fold (s,); outer (s, n); inner (s, n).

    `outer` is 1 for training rows, 2 for test rows, 3 for rows that may be learned from without a label, else 0.

    `inner` holds the number of the inner fold that scores a training row, -1 for all other rows.
    """
    outer, inner = _codes(folds, len(ids))
    with path.open("wb") as file:
        np.savez_compressed(
            file, ids=np.array(ids, dtype=np.str_), outer=outer, inner=inner,
            repeat=np.array([fold.repeat for fold in folds], dtype=np.int16),
            fold=np.array([fold.fold for fold in folds], dtype=np.int16),
        )


def _codes(folds: Sequence[Fold], rows: int) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    """`outer` and `inner` as `save` has them."""
    outer = np.zeros((len(folds), rows), dtype=np.int8)
    inner = np.full((len(folds), rows), -1, dtype=np.int16)
    for position, fold in enumerate(folds):
        for code, part in enumerate(fold.splits()[0], start=1):
            outer[position, part] = code
        for number, (_, scored) in enumerate(fold.inner):
            inner[position, scored] = number
    return outer, inner
