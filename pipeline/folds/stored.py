"""Folds that take long to draw, kept in the store."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.grid import Split
from pipeline.data.dataset import Dataset
from pipeline.folds.fold import Fold
from pipeline.store.manifest import Entry

GROUPING = 2  # raised when groups are dealt out in another way


def ingredients_of(dataset: Dataset, split: Split, seed: int) -> dict[str, Any]:
    """Everything that decides the folds; see `pipeline.store.keys.key_of`."""
    groups = None if dataset.groups is None else dataset.groups.tolist()
    return {
        "kind": "folds",
        "labels": dataset.labels.tolist(),
        "groups": groups,
        "official": None
        if dataset.split is None or not split.official
        else list(map(str, dataset.split)),
        "split": [split.official, split.folds, split.holdout, split.repeats, split.inner],
        "seed": seed,
        **({"unseen classes": True} if split.unseen_classes else {}),
        **({"grouping": GROUPING} if groups is not None else {}),
        "versions": {name: version(name) for name in ("numpy", "scikit-learn")},
    }


def entry_of(folds: Sequence[Fold], dataset: Dataset) -> Entry:
    """Folds as the store keeps them."""
    outer, inner = codes(folds, len(dataset))
    numbers = np.array([(fold.repeat, fold.fold) for fold in folds], dtype=np.int64)
    return Entry({"outer": outer, "inner": inner, "numbers": numbers}, {"label": "folds"})


def folds_of(entry: Entry) -> list[Fold]:
    """The folds of a stored entry; rows without a label come later."""
    numbers, outer, inner = (
        np.asarray(entry.arrays[name]) for name in ("numbers", "outer", "inner")
    )
    return folds_from_codes(numbers, outer, inner)


def folds_from_codes(
    numbers: NDArray[np.int64], outer: NDArray[np.int8], inner: NDArray[np.int16]
) -> list[Fold]:
    """Folds whose numbers (s, 2) and `codes` (s, n) these are, without rows that have no label."""
    folds = []
    for (repeat, fold), outer_codes, inner_codes in zip(numbers, outer, inner, strict=True):
        train = np.flatnonzero(outer_codes == 1)
        scored_by = inner_codes[train]
        splits = tuple(
            (train[scored_by != number], train[scored_by == number])
            for number in range(int(scored_by.max()) + 1)
        )
        test = np.flatnonzero(outer_codes == 2)
        folds.append(Fold(int(repeat), int(fold), train, test, splits))
    return folds


def save(folds: Sequence[Fold], ids: Sequence[str], path: Path) -> None:
    """Write folds.npz: ids (n,); repeat, fold (s,); outer (s, n); inner (s, n).

    `outer` is 1 for training rows, 2 for test rows, 3 for rows that may be learned from without a
    label, else 0.

    `inner` holds the number of the inner fold that scores a training row, -1 for all other rows.
    """
    outer, inner = codes(folds, len(ids))
    with path.open("wb") as file:
        np.savez_compressed(
            file, ids=np.array(ids, dtype=np.str_), outer=outer, inner=inner,
            repeat=np.array([fold.repeat for fold in folds], dtype=np.int16),
            fold=np.array([fold.fold for fold in folds], dtype=np.int16),
        )


def codes(folds: Sequence[Fold], rows: int) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    """`outer` and `inner` as `save` has them."""
    outer = np.zeros((len(folds), rows), dtype=np.int8)
    inner = np.full((len(folds), rows), -1, dtype=np.int16)
    for position, fold in enumerate(folds):
        for code, part in enumerate(fold.outer, start=1):
            outer[position, part] = code
        for number, (_, scored) in enumerate(fold.inner):
            inner[position, scored] = number
    return outer, inner
