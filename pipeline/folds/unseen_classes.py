"""Splits that hold out whole classes: a model never saw an example of what it is asked about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy

from features.block import BoolArray
from pipeline.data.dataset import Dataset, DatasetError
from pipeline.data.rows import Groups, Labels, Rows
from reports.wording import first_listed, quoted

FEWEST = 2  # classes of a test part: of one candidate alone nothing can be said wrong


def class_folds(
    labels: Labels, groups: Groups | None, count: int, seed: int, key: str
) -> list[tuple[Rows, Rows]]:
    """(train, test) positions of `count` folds, each of which tests all rows of its own classes.

    Classes are dealt out at random, as evenly as can be: every class is tested once. Classes that
    share a group are dealt together, so that no group straddles folds.

    Parameters
    ----------
    labels, groups : int (n,), the rows' classes and groups (None: there are none).
    key : what the grid calls the number of folds, for messages.

    Raises
    ------
    DatasetError
        Where a fold would test fewer than two classes.
    """
    classes = np.unique(labels)
    if len(classes) < FEWEST * count:
        raise DatasetError(
            [
                f"{key}: {len(classes)} classes{_where(key)} cannot make {count} folds of unseen "
                f"classes, which test {FEWEST} classes each at least"
            ],
            "Take fewer folds.",
        )
    parts = _dealt(_together(classes, labels, groups), count, seed)
    if min(map(len, parts)) < FEWEST:
        raise DatasetError(
            [
                f"{key}: groups that hold rows of several classes keep these classes in one fold, "
                f"so that no {count} folds of unseen classes{_where(key)} can test {FEWEST} "
                "classes each"
            ],
            "Take fewer folds, another group column, or group: none.",
        )
    return [_parts(np.isin(labels, part)) for part in parts]


def class_holdout(
    labels: Labels, groups: Groups | None, share: float, seed: int
) -> tuple[Rows, Rows]:
    """(train, test) positions: rows of the nearest share of the classes, two at least, are tested.

    Raises
    ------
    DatasetError
        Where fewer than two classes would be left to learn from.
    """
    classes = np.unique(labels)
    held_out = max(FEWEST, round(share * len(classes)))
    test: list[int] = []
    for unit in _shuffled(_together(classes, labels, groups), seed):
        if len(test) < held_out:
            test += unit
    if len(classes) - len(test) < FEWEST:
        raise DatasetError(
            [
                f"split.holdout: with {len(test)} of {len(classes)} classes held out, {FEWEST} "
                "classes are not left to learn from"
            ],
            "Take a smaller share, or group: none.",
        )
    return _parts(np.isin(labels, test))


def check_official(dataset: Dataset, train: Rows, test: Rows) -> None:
    """Raise DatasetError where a class has rows in both parts, or a part fewer than two classes."""
    parts = [np.unique(dataset.labels[rows]) for rows in (train, test)]
    both = np.intersect1d(parts[0], parts[1])
    problems = []
    if len(both):
        names = _names(dataset, both)
        problems.append(
            f"split.unseen_classes: the official split has rows of {names} in both parts"
        )
    problems += [
        f"split.unseen_classes: the {name} part of the official split has one class only"
        for name, part in zip(("training", "test"), parts, strict=True)
        if len(part) < FEWEST
    ]
    if problems:
        raise DatasetError(
            problems,
            "Mend the split column, or let classes be held out: "
            "{folds: ..., unseen_classes: true}.",
        )


def _names(dataset: Dataset, codes: Labels) -> str:
    names = [quoted(dataset.classes[code]) for code in codes]
    return first_listed(names, 5, "more classes")


def _where(key: str) -> str:
    return " of the training rows of a fold" if key == "split.inner" else ""


def _parts(test: BoolArray) -> tuple[Rows, Rows]:
    return np.flatnonzero(~test), np.flatnonzero(test)


def _together(classes: Labels, labels: Labels, groups: Groups | None) -> list[list[int]]:
    """The classes, those that share a group in one list."""
    if groups is None:
        return [[int(code)] for code in classes]
    from scipy.sparse.csgraph import connected_components

    columns = np.unique(groups, return_inverse=True)[1]
    coordinates = np.searchsorted(classes, labels), columns
    table = scipy.sparse.csr_matrix((np.ones(len(labels)), coordinates))
    number, units = connected_components(table @ table.T, directed=False)
    return [classes[units == unit].tolist() for unit in range(number)]


def _shuffled(units: Sequence[list[int]], seed: int) -> list[list[int]]:
    return [units[position] for position in np.random.default_rng(seed).permutation(len(units))]


def _dealt(units: Sequence[list[int]], count: int, seed: int) -> list[list[int]]:
    """Units dealt out to `count` parts, the largest first, always to the part with the fewest."""
    parts: list[list[int]] = [[] for _ in range(count)]
    for unit in sorted(_shuffled(units, seed), key=len, reverse=True):
        min(parts, key=len).extend(unit)
    return parts
