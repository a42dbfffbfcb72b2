"""The second phase's questions: a fitted model and altered test rows of one fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.block import BoolArray, Modality
from pipeline.data.rows import Rows
from pipeline.folds.fold import Fold
from pipeline.followup.alterations import PAIRED, SHARES, paired_rows
from pipeline.metrics.metric import Probabilities
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.combination import Combination
from pipeline.tasks.context import Context
from pipeline.tasks.unit import Unit

VERSION = 1


@dataclass(frozen=True, eq=False)
class Probe:
    """A unit or combination, asked about altered rows; `parts` are the probes it combines."""

    target: Unit | Combination
    modalities: frozenset[Modality]
    seed: int
    parts: tuple[Probe, ...] = ()

    @cached_property
    def ingredients(self) -> Ingredients:
        """Everything that decides what is kept of it; see `store.keys.key_of`."""
        return {
            "kind": "probes",
            "version": VERSION,
            "of": self.target.key,
            "seed": self.seed,
            "fold": [self.target.fold.repeat, self.target.fold.fold],
            "shares": SHARES,
            "paired": PAIRED,
        }

    @cached_property
    def key(self) -> str:
        """The key of what is kept of it."""
        return key_of(self.ingredients)

    def without_rows(self) -> Probe:
        """As it travels."""
        parts = tuple(part.without_rows() for part in self.parts)
        return replace(self, target=self.target.without_rows(), parts=parts)

    def with_fold(self, fold: Fold) -> Probe:
        """With the rows that it is about."""
        parts = tuple(part.with_fold(fold) for part in self.parts)
        return replace(self, target=self.target.with_fold(fold), parts=parts)

    def entry(self, answers: Sequence[Probabilities], pairs: Probabilities | None) -> Entry:
        """What is kept: "altered" (a, n_test, K), and "pairs" (s, s, K): picture i with text j."""
        arrays = {"altered": np.stack(answers).astype(np.float32)}
        if pairs is not None:
            arrays["pairs"] = pairs.astype(np.float32)
        return Entry(arrays, {"label": f"altered rows of {self.target.cell.name}"})


def paired(probe: Probe, context: Context) -> Rows:
    """Positions among the test rows of those whose pictures and texts are paired in all ways."""
    rows = probe.target.fold.test
    whole: BoolArray = np.all(
        [context.index[modality][rows] >= 0 for modality in probe.modalities], axis=0
    )
    return paired_rows(whole, probe.target.fold, probe.seed)


def crossed(rows: Rows) -> tuple[Rows, Rows]:
    """First and second members (s s,) of all pairs of s rows."""
    first, second = np.meshgrid(rows, rows, indexing="ij")
    return first.ravel(), second.ravel()


def read(ingredients: Ingredients, store: Store) -> dict[str, NDArray[np.float64]]:
    """The arrays of an entry that must be there."""
    entry = store.load(ingredients)
    if entry is None:
        raise FileNotFoundError(
            "what the second phase needs was removed from the store before it was read; run again"
        )
    return {name: np.asarray(array, dtype=np.float64) for name, array in entry.arrays.items()}
