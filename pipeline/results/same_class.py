"""Extra metrics of a grid: scores of hits of the same class, for every cell and fold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np

from pipeline.engine.task import Done, Failed, NotReached, Outcome
from pipeline.metrics.same_class import EXTRA_METRICS, OF_RANKS, mean_values
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import encode_lost
from pipeline.plan.needs import PROCESS, Needs
from pipeline.plan.plan import Plan
from pipeline.store.manifest import Entry
from pipeline.tasks.combination import CellFold, Combination, cell_and_fold
from pipeline.tasks.same_class import SameClassTask, has_space, is_about
from pipeline.tasks.unit import Unit
from reports.record import MetricRecord, ScoredRecord
from reports.wording import count, first_listed, quoted


class SameClassOutcomes(NamedTuple):
    """What came of the extra metrics.

    Parameters
    ----------
    record : with their scores; nan where a cell has no vectors in a space.
    outcomes : of their work, by key.
    not_reached : names of the cells of which a time limit left something.
    """

    record: ScoredRecord
    outcomes: Mapping[str, Outcome]
    not_reached: tuple[str, ...] = ()


def with_same_class(
    record: ScoredRecord, plan: Plan, comparison: Comparison
) -> SameClassOutcomes:
    """The record with the extra metrics that the grid names; of every cell and fold it has.

    Nothing is fitted for them: what the store holds of a result and its features is enough. What
    fails is left without a score, and a warning says so.
    """
    names = comparison.grid.extra_metrics
    if not names:
        return SameClassOutcomes(record, {})
    tasks = _tasks(record, plan, comparison)
    outcomes = _computed(tasks, comparison)
    scores: dict[CellFold, dict[str, float]] = {}
    for task in tasks:
        scores.setdefault(cell_and_fold(task.piece), {}).update(_scores(task, comparison))
    folds = tuple(
        replace(fold, scores={**fold.scores, **{
            name: scores.get((fold.cell, fold.repeat, fold.fold), {}).get(name, float("nan"))
            for name in names
        }})
        for fold in record.folds
    )
    metrics = (*record.metrics, *(MetricRecord(name, greater_is_better=True) for name in names))
    warnings = (*record.warnings, *_failures(outcomes.values()))
    left = [
        task.piece.cell.name
        for task in tasks
        if isinstance(outcomes[task.keys[0]], NotReached)
    ]
    scored = replace(record, folds=folds, metrics=metrics, warnings=warnings)
    return SameClassOutcomes(scored, outcomes, tuple(dict.fromkeys(left)))


def _tasks(record: ScoredRecord, plan: Plan, comparison: Comparison) -> list[SameClassTask]:
    """Of every piece with a score, in each space that is asked for and that it has."""
    scored = {(fold.cell, fold.repeat, fold.fold) for fold in record.folds}
    spaces = dict.fromkeys(EXTRA_METRICS[name][0] for name in comparison.grid.extra_metrics)
    context = comparison.context.put(comparison.store)
    needs = Needs(comparison.store, comparison.context.classes)
    pieces: list[Unit | Combination] = [*plan.units, *plan.combinations]
    return [
        SameClassTask(
            piece.without_rows(), space, context,
            needs.of(piece) if space == "features" and isinstance(piece, Unit) else PROCESS,
        )
        for piece, space in product(pieces, spaces)
        if cell_and_fold(piece) in scored and has_space(piece, space)
    ]


def _computed(
    tasks: Iterable[SameClassTask], comparison: Comparison
) -> dict[str, Outcome]:
    """Put into the store what is not there; outcomes by key."""
    outcomes: dict[str, Outcome] = {}
    missing = []
    for task in tasks:
        entry = _stored(task, comparison)
        if entry is None:
            missing.append(task)
        else:
            outcomes[task.keys[0]] = Done(entry.seconds, reused=True)
    if not missing:
        return outcomes
    units = [task.piece for task in missing if task.space == "features"]
    encode_lost([unit for unit in units if isinstance(unit, Unit)], comparison)
    return outcomes | comparison.run(missing, outcomes)


def _stored(task: SameClassTask, comparison: Comparison) -> Entry | None:
    """The entry of a task, if there is one that may be its."""
    entry = comparison.store.load(task.ingredients)
    fold = comparison.context.fold(task.piece.fold.repeat, task.piece.fold.fold)
    return None if entry is None or not is_about(entry, fold) else entry


def _scores(task: SameClassTask, comparison: Comparison) -> dict[str, float]:
    """Means of what its entry holds, by the names of the metrics; nothing without an entry."""
    entry = _stored(task, comparison)
    if entry is None:
        return {}
    values = np.asarray(entry.arrays["values"])
    means = mean_values(dict(zip(OF_RANKS, values.T, strict=True)))
    return {
        name: means[metric]
        for name, (space, metric) in EXTRA_METRICS.items()
        if space == task.space
    }


def _failures(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """A sentence on the scores that are missing because their work failed."""
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    if failed:
        names = list(dict.fromkeys(quoted(failure.label) for failure in failed))
        yield (
            f"{count(len(failed), 'piece')} of work on hits of the same class failed "
            f"({first_listed(names, 3)}): these scores are missing. First error: {failed[0].error}"
        )
