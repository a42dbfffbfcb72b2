"""Carry out a plan: the features that it lacks, then fits and what combines them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

from pipeline.engine.progress import say
from pipeline.engine.task import Done, NotReached, Outcome, Outcomes
from pipeline.plan.cell_scores import CellScores
from pipeline.plan.comparison import Comparison
from pipeline.plan.needs import Needs, memory_text
from pipeline.plan.plan import Plan, features_of
from pipeline.plan.schedule import fit_tasks
from pipeline.plan.waves import Stages, Wave, learns
from pipeline.tasks.combination import Combination
from pipeline.tasks.combine import CombineTask
from pipeline.tasks.encoding.encode import encode_tasks
from pipeline.tasks.encoding.features import Features, with_stages
from pipeline.tasks.encoding.shard import assembled, shard_tasks
from pipeline.tasks.fit import FitTask
from pipeline.tasks.matching import MatchTask
from pipeline.tasks.unit import Unit

Piece = TypeVar("Piece", Unit, Combination)


class PlanOutcomes(NamedTuple):
    """What came of a plan, by key.

    Parameters
    ----------
    features : of those that had to be there for what was computed now.
    units : of all units.
    combinations : of those that learn from inner folds.
    """

    features: Outcomes
    units: Outcomes
    combinations: Outcomes


def run_plan(plan: Plan, comparison: Comparison) -> PlanOutcomes:
    """Compute what the store lacks: first the features, then fits and what learns from them.

    Under a time limit, wave after wave: see pipeline.plan.waves.
    """
    learning = tuple(filter(learns, plan.combinations))
    outcomes = _stored([*plan.units, *learning], comparison)
    comparison = CellScores(plan, comparison, outcomes).watching(comparison)
    limit, whole = comparison.limit, Wave("all", plan.units, learning)
    waves = [whole] if limit is None else Stages(plan, comparison.cells).waves()
    missing = features_of(_missing(plan.units, outcomes))
    features: dict[str, Outcome] = {}
    for number, wave in enumerate(waves):
        units, combinations = _missing(wave.units, outcomes), _missing(wave.combinations, outcomes)
        if comparison.is_over:
            keys = [*(unit.key for unit in units), *(piece.key for piece in combinations)]
            outcomes |= dict.fromkeys(keys, NotReached())
            continue
        if limit is not None and (units or combinations):
            say(f"within {limit.text}, {number + 1} of {len(waves)}: {wave.name}")
        lacking = _of_one_pass(features_of(units), missing)
        new = [form for key, form in lacking.items() if key not in features]
        features |= encoded(new, comparison)
        outcomes |= _fitted(units, combinations, comparison, {**outcomes, **features})
    return PlanOutcomes(
        features,
        {unit.key: outcomes[unit.key] for unit in plan.units},
        {combination.key: outcomes[combination.key] for combination in learning},
    )


def _of_one_pass(
    features: Mapping[str, Features], missing: Mapping[str, Features]
) -> dict[str, Features]:
    """The features, and others that are missing and come from the same passes over the samples."""
    passes = set(map(_pass_over, features.values()))
    others = {key: form for key, form in missing.items() if _pass_over(form) in passes}
    return {**features, **others}


def _pass_over(features: Features) -> tuple[Hashable, ...]:
    modality, component, split = features.modality, features.component, features.split
    return modality, component, split, features.count, features.by_sample


def encoded(features: Iterable[Features], comparison: Comparison) -> dict[str, Outcome]:
    """Put features into the store where they are not there; outcomes by key."""
    features = list(features)
    if not features:
        return {}
    comparison.context.put(comparison.store)
    by_sample = _by_sample([form for form in features if form.by_sample], comparison)
    others = [form for form in features if not form.by_sample]
    tasks = encode_tasks(others, comparison.dataset, comparison.store)
    return {**by_sample, **comparison.run(tasks, by_sample)}


def encode_lost(units: Iterable[Unit], comparison: Comparison) -> None:
    """Put features of the units' outer training rows into the store that it has no longer."""
    forms = chain.from_iterable(unit.features.values() for unit in units)
    outer = with_stages(features[0] for features in forms)
    encoded(
        [
            features
            for features in outer.values()
            if comparison.store.load(features.ingredients) is None
        ],
        comparison,
    )


def _by_sample(features: Sequence[Features], comparison: Comparison) -> dict[str, Outcome]:
    """Encode the samples that no shard has, then put the features together."""
    dataset, store = comparison.dataset, comparison.store
    there = {form.key for form in features if store.holds(form.key)}
    tasks = shard_tasks(features, dataset, store, short=comparison.limit is not None)
    outcomes = comparison.run(tasks)
    new: dict[str, dict[str, Outcome]] = {form.key: {} for form in features}
    for task in tasks:
        for form, key in zip(task.forms, task.keys, strict=True):
            new[form.key][key] = outcomes[key]
    return {
        form.key: assembled(form, dataset, store, new[form.key], was_there=form.key in there)
        for form in features
    }


def _stored(
    pieces: Iterable[Unit | Combination], comparison: Comparison
) -> dict[str, Outcome]:
    stored: dict[str, Outcome] = {}
    for piece in pieces:
        entry = comparison.store.load(piece.ingredients)
        if entry is not None and piece.is_result(entry, comparison.context.classes):
            stored[piece.key] = Done(entry.seconds, reused=True)
    return stored


def _missing(
    pieces: Iterable[Piece], stored: Outcomes
) -> list[Piece]:
    """Those that are not stored, each key once."""
    return list({piece.key: piece for piece in pieces if piece.key not in stored}.values())


def _fitted(
    units: Sequence[Unit],
    combinations: Sequence[Combination],
    comparison: Comparison,
    known: Outcomes,
) -> dict[str, Outcome]:
    if not units and not combinations:
        return {}
    context = comparison.context.put(comparison.store)
    needs = Needs(comparison.store, comparison.context.classes)
    for line in memory_text(units, needs, comparison.engine)[1:]:
        say(f"memory: {line}")
    return comparison.run(
        [
            *fit_tasks(
                units,
                context,
                needs,
                comparison.engine.slots,
                MatchTask if comparison.grid.task == "retrieval" else FitTask,
            ),
            *(CombineTask(piece.without_rows(), context) for piece in combinations),
        ],
        known,
    )
