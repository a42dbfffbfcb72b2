"""The second phase: what the best cells' fitted models say of altered test rows.

It looks at the best cell of each fusion and at the best single modalities, on the folds of the
first repeat: each model is fitted once more under its chosen parameters, and what it predicts is
kept in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.block import Modality
from models.combining import Parts
from models.views import Views
from pipeline.data.dataset import Dataset
from pipeline.data.rows import Rows
from pipeline.engine.attempts import Done, Failed, attempt
from pipeline.engine.memory import free, waves
from pipeline.engine.processes import side_by_side
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
from pipeline.plan.needs import PROCESS, Needs
from pipeline.plan.plan import Plan
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.combination import Combination, refitted
from pipeline.tasks.context import Context, store_at
from pipeline.tasks.encode import encode_all
from pipeline.tasks.features import with_stages
from pipeline.tasks.refit import Refitted, refit
from pipeline.tasks.unit import Unit
from pipeline.tasks.views import finite
from reports.analysis.ranking import Kind, rank_cells
from reports.record import RunRecord

VERSION = 1
PORTION = 512  # pairs predicted at once: sequences of thousands of rows would not fit into memory


@dataclass(frozen=True, eq=False)
class Probe:
    """One unit or combination on one fold, asked about altered rows; `parts` are the probes it combines."""

    target: Unit | Combination
    modalities: frozenset[Modality]
    seed: int
    parts: tuple[Probe, ...] = ()

    @property
    def ingredients(self) -> Ingredients:
        """Everything that decides what is kept of it; see `store.key_of`."""
        return {
            "kind": "probes",
            "version": VERSION,
            "of": key_of(self.target.ingredients),
            "seed": self.seed,
            "fold": [self.target.fold.repeat, self.target.fold.fold],
            "shares": SHARES,
            "paired": PAIRED,
        }


def _chosen(record: RunRecord, probes: Sequence[Probe]) -> list[Probe]:
    """Probes of the best complete cell of each fusion, and of each modality that it judges by alone."""
    fusions = {probe.target.cell.name: probe.target.cell.fusion.name for probe in probes}
    best: dict[tuple[str, Kind], str] = {}
    for standing in rank_cells(record).ranked("image", "text", "fusion"):
        if standing.cell.name in fusions:
            best.setdefault((fusions[standing.cell.name], standing.kind), standing.cell.name)
    return [probe for probe in probes if probe.target.cell.name in best.values()]


def probe_all(
    record: RunRecord,
    plan: Plan,
    combined: Sequence[Combination],
    dataset: Dataset,
    context: Context,
    seed: int,
    jobs: int,
    progress: Any,
) -> tuple[list[Probe], list[Done | Failed], list[str]]:
    """Put what the chosen cells say of altered rows into the store.

    Returns
    -------
    probes : those of the chosen cells that succeeded, cell by cell.
    outcomes : of every piece of work.
    problems : one sentence for each cell that could not be asked.
    """
    probes = _chosen(record, _probes(plan, combined, seed))
    store = store_at(context.store)
    own = list(
        {id(one.target): one for probe in probes for one in (probe.parts or (probe,))}.values()
    )
    found = {id(probe.target): Done(entry.seconds, reused=True) for probe in (*own, *probes)
             if (entry := store.load(probe.ingredients)) is not None}
    outcomes: dict[int, Done | Failed] = dict(found)
    missing = [probe for probe in own if id(probe.target) not in found]
    _encode(missing, dataset, store, jobs)
    outcomes |= _run(missing, context, jobs, progress)
    outcomes |= _run(
        [
            probe
            for probe in probes
            if probe.parts
            and id(probe.target) not in found
            and not any(isinstance(outcomes[id(part.target)], Failed) for part in probe.parts)
        ],
        context,
        jobs,
        progress,
    )
    broken = {
        probe.target.cell.name: outcome.error
        for probe in probes
        for one in (*probe.parts, probe)
        if isinstance(outcome := outcomes.get(id(one.target)), Failed)
    }
    problems = [
        f"The second phase could not ask {name} about altered rows: {error}"
        for name, error in broken.items()
    ]
    return (
        [probe for probe in probes if probe.target.cell.name not in broken],
        list(outcomes.values()),
        problems,
    )


def _probes(plan: Plan, combined: Sequence[Combination], seed: int) -> list[Probe]:
    """A probe of every unit and combination of the first repeat."""
    units = {
        id(unit): Probe(unit, frozenset(unit.features).intersection(unit.estimator.asked), seed)
        for unit in plan.units
        if unit.fold.repeat == 0
    }
    return [*units.values(), *(
        Probe(one, frozenset(modality for unit in one.units for modality in unit.features), seed,
              tuple(units[id(unit)] for unit in one.units))
        for one in combined if one.fold.repeat == 0 and len(one.units) == len(one.cell.parts))]


def _encode(probes: Sequence[Probe], dataset: Dataset, store: Store, jobs: int) -> None:
    """Features that the refits need and the store no longer has; what fails here fails the refit."""
    wanted = with_stages(many[0] for probe in probes if isinstance(probe.target, Unit)
                         for many in probe.target.features.values())
    lost = [one for one in wanted.values() if store.load(one.ingredients) is None]
    encode_all(lost, dataset, store, jobs, lambda *_: None)


def _run(
    probes: Sequence[Probe], context: Context, jobs: int, progress: Any
) -> dict[int, Done | Failed]:
    outcomes: dict[int, Done | Failed] = {}
    if not probes:
        return outcomes
    needs = Needs(store_at(context.store), context.classes)
    sizes = [needs.of(one.target) if isinstance(one.target, Unit) else PROCESS for one in probes]
    with progress("Altered rows", len(probes)) as report:
        for at_once, wave in waves(sizes, free(), jobs).items():
            for place, outcome in side_by_side(
                _asked, [(probes[number], context) for number in wave], at_once
            ):
                target = probes[wave[place]].target
                outcomes[id(target)] = outcome
                report(target.cell.name)
    return outcomes


def _asked(probe: Probe, context: Context) -> Done | Failed:
    store = store_at(context.store)
    ask = _ask_combination if probe.parts else _ask_unit
    return attempt(lambda: store.get(probe.ingredients, partial(ask, probe, context, store)))


def _ask_unit(probe: Probe, context: Context, store: Store) -> Entry:
    """Predictions "altered" (a, n_test, K), and "pairs" (s, s, K): picture i with text j."""
    assert isinstance(probe.target, Unit)
    again, fold = refit(probe.target, context, store), probe.target.fold
    test = again.views.take(fold.test)
    found = [
        again.predict(altered_views(test, one, fold, probe.seed))
        for one in alterations(probe.modalities)
    ]
    return _entry(
        probe,
        found,
        _pairs(again, test, paired(probe, context)) if len(probe.modalities) == 2 else None,
    )


def _entry(probe: Probe, found: Sequence[Probabilities], pairs: Probabilities | None) -> Entry:
    arrays = {"altered": np.stack(found).astype(np.float32)}
    return Entry(arrays | ({} if pairs is None else {"pairs": pairs.astype(np.float32)}),
                 {"label": f"altered rows of {probe.target.cell.name}"})


def paired(probe: Probe, context: Context) -> Rows:
    """Positions among the test rows of those whose pictures and texts are paired in all ways."""
    rows = probe.target.fold.test
    whole = np.all([context.index[modality][rows] >= 0 for modality in probe.modalities], axis=0)
    return paired_rows(whole, probe.target.fold, probe.seed)


def _pairs(again: Refitted, test: Views, rows: Rows) -> Probabilities:
    first, second = (places.ravel() for places in np.meshgrid(rows, rows, indexing="ij"))
    blocks = test.blocks()
    both = Views(blocks["image"].take(first), blocks["text"].take(second))
    portions = [again.predict(both.take(np.arange(start, min(start + PORTION, len(first)))))
                for start in range(0, len(first), PORTION)]
    flat = np.concatenate(portions) if portions else np.zeros((0, again.context.classes))
    return flat.reshape(len(rows), len(rows), again.context.classes)


def _ask_combination(probe: Probe, context: Context, store: Store) -> Entry:
    """The same of a cell that combines others, from what its parts say under the same alterations."""
    assert isinstance(probe.target, Combination)
    model, fold = refitted(probe.target, context, store), probe.target.fold
    stored = [_Stored.of(part, context, store) for part in probe.parts]

    def combine(
        answers: Sequence[Probabilities], present: Sequence[NDArray[np.bool_]]
    ) -> Probabilities:
        return finite(
            probe.target.cell.name, model.combine(Parts(np.stack(answers), np.stack(present)))
        )

    found = []
    for one in alterations(probe.modalities):
        there = [altered(part.index, part.modality, one, fold, probe.seed) >= 0 for part in stored]
        found.append(combine([part.under(one) for part in stored], there))
    return _entry(probe, found, _combined_pairs(stored, paired(probe, context), combine))


def _combined_pairs(
    parts: Sequence[_Stored], rows: Rows, combine: Callable[..., Probabilities]
) -> Probabilities:
    first, second = (places.ravel() for places in np.meshgrid(rows, rows, indexing="ij"))
    taken = [first if part.modality == "image" else second for part in parts]
    flat = combine([part.plain[one] for part, one in zip(parts, taken, strict=True)],
                   [np.ones(len(first), dtype=bool)] * len(parts))
    return flat.reshape(len(rows), len(rows), -1)


@dataclass(frozen=True, eq=False)
class _Stored:
    """What a single-modality part of a combination says of the test rows as they are, and altered."""

    modality: Modality
    index: Rows
    plain: Probabilities
    altered: Mapping[Alteration, Probabilities]

    @classmethod
    def of(cls, probe: Probe, context: Context, store: Store) -> _Stored:
        modality = next(iter(probe.modalities))
        plain, asked = (
            read(ingredients, store)
            for ingredients in (probe.target.ingredients, probe.ingredients)
        )
        return cls(
            modality,
            context.index[modality][probe.target.fold.test],
            plain["probabilities"],
            dict(zip(alterations(probe.modalities), asked["altered"], strict=True)),
        )

    def under(self, alteration: Alteration) -> Probabilities:
        """Predictions under an alteration of this part's modality, of the other, or of both."""
        if self.modality not in alteration.modalities:
            return self.plain
        return self.altered[Alteration(alteration.change, (self.modality,), alteration.share)]


def read(ingredients: Ingredients, store: Store) -> dict[str, Probabilities]:
    """The arrays of an entry that must be there."""
    entry = store.load(ingredients)
    if entry is None:
        raise FileNotFoundError(
            "what the second phase needs was removed from the store before it was read; run again"
        )
    return {name: np.asarray(array, dtype=np.float64) for name, array in entry.arrays.items()}
