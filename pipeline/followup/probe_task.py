"""The second phase's work: what a fitted model says of altered test rows of one fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features.block import BoolArray, Modality
from models.combining import CombinesPredictions, MemberPredictions
from models.views import Views
from pipeline.data.rows import Rows
from pipeline.engine.attempts import attempt
from pipeline.engine.task import Outcome
from pipeline.folds.fold import Fold
from pipeline.followup.alterations import (
    PAIRED,
    SHARES,
    Alteration,
    alterations,
    altered,
    altered_views,
    paired_rows,
)
from pipeline.metrics.metric import Probabilities
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.combination import Combination, refitted
from pipeline.tasks.context import Context, context_at
from pipeline.tasks.refit import Refitted, refit
from pipeline.tasks.unit import Unit
from pipeline.tasks.views import finite

VERSION = 1
PORTION = 512  # pairs predicted at once: sequences of thousands of rows would not fit into memory


@dataclass(frozen=True, eq=False)
class Probe:
    """A unit or combination, asked about altered rows; `parts` are the probes it combines."""

    target: Unit | Combination
    modalities: frozenset[Modality]
    seed: int
    parts: tuple[Probe, ...] = ()

    @cached_property
    def ingredients(self) -> Ingredients:
        """Everything that decides what is kept of it; see `pipeline.store.keys.key_of`."""
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


@dataclass(frozen=True, eq=False)
class ProbeTask:
    """A probe, put to a model that is fitted once more.

    Parameters
    ----------
    probe : without its rows.
    context : key of the Context that holds its fold.
    """

    stage: ClassVar[str] = "Altered rows"
    together: ClassVar[None] = None
    all_cores: ClassVar[bool] = False

    probe: Probe
    context: str
    memory: float

    @property
    def keys(self) -> tuple[str, ...]:
        """See Task."""
        return (self.probe.key,)

    @property
    def needs(self) -> tuple[str, ...]:
        """See Task: what its parts say."""
        return tuple(part.key for part in self.probe.parts)

    @property
    def label(self) -> str:
        """See Task."""
        return self.probe.target.cell.name

    def compute(self, store: Store) -> dict[str, Outcome]:
        """See Task."""
        context = context_at(store, self.context)
        numbers = self.probe.target.fold.repeat, self.probe.target.fold.fold
        probe = self.probe.with_fold(context.fold(*numbers))
        ask = _ask_combination if probe.parts else _ask_unit
        work = partial(ask, probe, context, store)
        return {probe.key: attempt(lambda: store.get(probe.ingredients, work))}


def _ask_unit(probe: Probe, context: Context, store: Store) -> Entry:
    """Predictions "altered" (a, n_test, K), and "pairs" (s, s, K): picture i with text j."""
    assert isinstance(probe.target, Unit)
    again, fold = refit(probe.target, context, store), probe.target.fold
    test = again.views.take(fold.test)
    answers = [
        again.predict(altered_views(test, alteration, fold, probe.seed))
        for alteration in alterations(probe.modalities)
    ]
    pairs = _pairs(again, test, paired(probe, context)) if len(probe.modalities) == 2 else None
    return _entry(probe, answers, pairs)


def _entry(probe: Probe, answers: Sequence[Probabilities], pairs: Probabilities | None) -> Entry:
    arrays = {"altered": np.stack(answers).astype(np.float32)}
    if pairs is not None:
        arrays["pairs"] = pairs.astype(np.float32)
    return Entry(arrays, {"label": f"altered rows of {probe.target.cell.name}"})


def paired(probe: Probe, context: Context) -> Rows:
    """Positions among the test rows of those whose pictures and texts are paired in all ways."""
    rows = probe.target.fold.test
    whole: BoolArray = np.all(
        [context.index[modality][rows] >= 0 for modality in probe.modalities], axis=0
    )
    return paired_rows(whole, probe.target.fold, probe.seed)


def _crossed(rows: Rows) -> tuple[Rows, Rows]:
    """First and second members (s s,) of all pairs of s rows."""
    first, second = np.meshgrid(rows, rows, indexing="ij")
    return first.ravel(), second.ravel()


def _pairs(again: Refitted, test: Views, rows: Rows) -> Probabilities:
    first, second = _crossed(rows)
    blocks = test.blocks()
    both = Views(blocks["image"].take(first), blocks["text"].take(second))
    portions = [
        again.predict(both.take(np.arange(start, min(start + PORTION, len(first)))))
        for start in range(0, len(first), PORTION)
    ]
    flat = np.concatenate(portions) if portions else np.zeros((0, again.context.classes))
    return flat.reshape(len(rows), len(rows), again.context.classes)


def _ask_combination(probe: Probe, context: Context, store: Store) -> Entry:
    """The same of a cell that combines others, from what its parts say of the same rows."""
    assert isinstance(probe.target, Combination)
    combine = _Combine(probe.target.cell.name, refitted(probe.target, context, store))
    fold = probe.target.fold
    stored = [_Stored.of(part, context, store) for part in probe.parts]
    answers = []
    for alteration in alterations(probe.modalities):
        present = [
            altered(part.index, part.modality, alteration, fold, probe.seed) >= 0
            for part in stored
        ]
        answers.append(combine([part.under(alteration) for part in stored], present))
    return _entry(probe, answers, _combined_pairs(stored, paired(probe, context), combine))


@dataclass(frozen=True)
class _Combine:
    """Combines what parts predict, and sees to it that numbers come of it."""

    name: str
    model: CombinesPredictions

    def __call__(
        self, answers: Sequence[Probabilities], present: Sequence[BoolArray]
    ) -> Probabilities:
        parts = MemberPredictions(np.stack(answers), np.stack(present))
        return finite(self.name, self.model.combine(parts))


def _combined_pairs(parts: Sequence[_Stored], rows: Rows, combine: _Combine) -> Probabilities:
    first, second = _crossed(rows)
    taken = [first if part.modality == "image" else second for part in parts]
    answers = [part.plain[positions] for part, positions in zip(parts, taken, strict=True)]
    flat = combine(answers, [np.ones(len(first), dtype=bool)] * len(parts))
    return flat.reshape(len(rows), len(rows), -1)


@dataclass(frozen=True, eq=False)
class _Stored:
    """What a single-modality part says of the test rows as they are, and altered."""

    modality: Modality
    index: Rows
    plain: Probabilities
    altered: Mapping[Alteration, Probabilities]

    @classmethod
    def of(cls, probe: Probe, context: Context, store: Store) -> _Stored:
        modality = next(iter(probe.modalities))
        plain = read(probe.target.ingredients, store)["probabilities"]
        answers = read(probe.ingredients, store)["altered"]
        index = context.index[modality][probe.target.fold.test]
        by_alteration = dict(zip(alterations(probe.modalities), answers, strict=True))
        return cls(modality, index, plain, by_alteration)

    def under(self, alteration: Alteration) -> Probabilities:
        """Predictions under an alteration of this part's modality, of the other, or of both."""
        if self.modality not in alteration.modalities:
            return self.plain
        return self.altered[Alteration(alteration.change, (self.modality,), alteration.share)]


def read(ingredients: Ingredients, store: Store) -> dict[str, NDArray[np.float64]]:
    """The arrays of an entry that must be there."""
    entry = store.load(ingredients)
    if entry is None:
        raise FileNotFoundError(
            "what the second phase needs was removed from the store before it was read; run again"
        )
    return {name: np.asarray(array, dtype=np.float64) for name, array in entry.arrays.items()}
