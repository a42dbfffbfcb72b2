"""What tasks need of the data set and its folds: arrays in the store, known by their key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.block import Modality
from pipeline.data.dataset import ClassTextIndex, Dataset
from pipeline.data.rows import Rows
from pipeline.folds.fold import Fold, fold_in_words, with_unlabelled
from pipeline.folds.stored import codes, folds_from_codes
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store

UNLABELLED = 3  # what `folds.stored.codes` calls rows that are learned from without a label


class SplitReference(NamedTuple):
    """A split of a fold, as it travels: its rows are looked up in the store.

    Parameters
    ----------
    context : key of the Context that holds the fold.
    repeat, fold : which outer fold it is.
    position : 0 for the outer split, from 1 for the inner ones.
    """

    context: str
    repeat: int
    fold: int
    position: int

    @property
    def in_words(self) -> str:
        """Which split it is, counted from 1, in words."""
        inner = f", inner fold {self.position}" if self.position else ""
        return f"{fold_in_words(self.repeat, self.fold)}{inner}"


@dataclass(frozen=True, eq=False)
class Context:
    """The rows of a data set, as models see them, and their folds.

    Parameters
    ----------
    labels : (n,) codes; `classes` is their number K.
    index : for each modality, the distinct sample of each row.
    groups : (n,) codes of the groups that never straddle folds, where there are any.
    class_texts : which texts describe which class, where classes are held out.
    folds : the outer folds.
    """

    labels: Rows
    classes: int
    index: Mapping[Modality, Rows]
    groups: Rows | None
    tuning_metric: str
    class_texts: ClassTextIndex | None = None
    folds: tuple[Fold, ...] = ()

    @cached_property
    def key(self) -> str:
        """Its key in the store."""
        return key_of(self._ingredients)

    def put(self, store: Store) -> str:
        """Put it into the store, for tasks to find; its key."""
        facts = {
            "label": "rows and folds",
            "classes": self.classes,
            "tuning_metric": self.tuning_metric,
        }
        store.get(self._ingredients, lambda: Entry(self._arrays, facts))
        return self.key

    def reference(self, fold: Fold, position: int) -> SplitReference:
        """One of the splits of a fold, as it travels."""
        return SplitReference(self.key, fold.repeat, fold.fold, position)

    def fold(self, repeat: int, fold: int, *, with_inner: bool = True) -> Fold:
        """An outer fold by its numbers."""
        whole = self._folds_by_number[repeat, fold]
        return whole if with_inner else replace(whole, inner=())

    @cached_property
    def _folds_by_number(self) -> dict[tuple[int, int], Fold]:
        return {(fold.repeat, fold.fold): fold for fold in self.folds}

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {"labels": self.labels}
        arrays |= {f"index_{modality}": index for modality, index in self.index.items()}
        if self.groups is not None:
            arrays["groups"] = self.groups
        if self.class_texts is not None:  # the names of arrays are part of the key
            arrays["described_classes"] = self.class_texts.classes
            arrays["described_positions"] = self.class_texts.positions
        outer, inner = codes(self.folds, len(self.labels))
        numbers = [(fold.repeat, fold.fold) for fold in self.folds]
        arrays["numbers"] = np.array(numbers, dtype=np.int64).reshape(-1, 2)
        return arrays | {"outer": outer, "inner": inner}

    @cached_property
    def _ingredients(self) -> Ingredients:
        digests = {name: _digest(array) for name, array in self._arrays.items()}
        return {
            "kind": "context",
            "arrays": digests,
            "classes": self.classes,
            "tuning metric": self.tuning_metric,
        }


def _digest(array: NDArray[Any]) -> str:
    dtype_and_shape = f"{array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(dtype_and_shape + np.ascontiguousarray(array).tobytes()).hexdigest()


def context_of(dataset: Dataset, folds: Sequence[Fold], tuning_metric: str) -> Context:
    """The context of a data set and its folds."""
    index = {modality: modal.index for modality, modal in dataset.modalities.items()}
    return Context(
        dataset.labels,
        len(dataset.classes) or 1,  # pairs without classes are all of one
        index,
        dataset.groups,
        tuning_metric,
        dataset.class_texts,
        tuple(folds),
    )


@lru_cache(maxsize=4)
def context_at(store: Store, key: str) -> Context:
    """The context of a key, read once in a process.

    Raises
    ------
    FileNotFoundError
        Where the store no longer has it.
    """
    entry = store.at(key)
    if entry is None:
        raise FileNotFoundError(
            "the rows and folds of this run were removed from the store while they were needed; "
            "run again"
        )
    arrays = {name: np.asarray(array) for name, array in entry.arrays.items()}
    groups = arrays.get("groups")
    class_texts = None
    if "described_classes" in arrays:
        class_texts = ClassTextIndex(arrays["described_classes"], arrays["described_positions"])
    prefix = "index_"
    index: dict[Any, Rows] = {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    return Context(
        arrays["labels"],
        int(entry.facts["classes"]),
        index,
        groups,
        str(entry.facts["tuning_metric"]),
        class_texts,
        _folds(arrays, groups),
    )


def _folds(arrays: Mapping[str, NDArray[Any]], groups: Rows | None) -> tuple[Fold, ...]:
    folds = folds_from_codes(arrays["numbers"], arrays["outer"], arrays["inner"])
    return tuple(
        with_unlabelled(fold, np.flatnonzero(outer == UNLABELLED), groups)
        for fold, outer in zip(folds, arrays["outer"], strict=True)
    )
