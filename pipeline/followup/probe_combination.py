"""What a cell that combines others says of altered rows, from its parts' stored answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.block import BoolArray, Modality
from models.combining import CombinesPredictions, MemberPredictions
from pipeline.data.rows import Rows
from pipeline.followup.alterations import Alteration, alterations, altered
from pipeline.followup.probe import Probe, crossed, paired, read
from pipeline.metrics.metric import Probabilities
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.combination import Combination, refitted
from pipeline.tasks.context import Context
from pipeline.tasks.views import finite


def ask_combination(probe: Probe, context: Context, store: Store) -> Entry:
    """See Probe.entry: of a cell that combines others, from what its parts say of the rows."""
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
    return probe.entry(answers, _combined_pairs(stored, paired(probe, context), combine))


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
    first, second = crossed(rows)
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
