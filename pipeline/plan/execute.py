"""Carry out a plan: first the features, then the fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.data.dataset import Dataset
from pipeline.engine.attempts import Done, Failed
from pipeline.engine.memory import free, waves
from pipeline.engine.processes import side_by_side
from pipeline.engine.progress import Report, say
from pipeline.plan.needs import Needs, memory_text
from pipeline.plan.plan import Plan
from pipeline.plan.schedule import tasks_of
from pipeline.store.store import Store
from pipeline.tasks.context import Context, store_at
from pipeline.tasks.encode import encode_all
from pipeline.tasks.features import Features, with_stages
from pipeline.tasks.fit import fit_unit
from pipeline.tasks.unit import Unit
from reports.record import FailureRecord


def fit_all(
    units: Sequence[Unit], context: Context, jobs: int, report: Report
) -> dict[int, Done | Failed]:
    """Put all results into the store; outcome by position in `units`.

    A task holds units that share what they prepare, so that it is prepared in one process; each
    unit is stored as soon as it is done. Work for which memory is short goes last, with fewer
    processes.
    """
    if not units:
        return {}
    outcomes = {}
    needs, available = Needs(store_at(context.store), context.classes), free()
    tasks = tasks_of(units, jobs, needs.work)
    sizes = [max(needs.of(units[position]) for position in task) for task in tasks]
    for line in memory_text(units, needs, available, jobs)[1:]:
        say(f"memory: {line}")
    for at_once, wave in waves(sizes, available, jobs).items():
        work = [([units[position] for position in tasks[number]], context) for number in wave]
        for place, found in side_by_side(_fit_each, work, at_once):
            for position, outcome in zip(tasks[wave[place]], found, strict=True):
                outcomes[position] = outcome
                report(units[position].cell.name)
    return outcomes


def _fit_each(units: Sequence[Unit], context: Context) -> list[Done | Failed]:
    return [fit_unit(unit, context) for unit in units]


def run_plan(
    plan: Plan, dataset: Dataset, context: Context, store: Store, jobs: int, progress: Any
) -> tuple[dict[str, Done | Failed], dict[int, Done | Failed]]:
    """Compute what the store lacks: first the features, then the fits.

    Returns
    -------
    features, units : outcome of each, by key and by position in plan.units.
    """
    known = {position: Done(entry.seconds, reused=True) for position, unit in enumerate(plan.units)
             if (entry := store.load(unit.ingredients)) is not None}
    missing = [position for position in range(len(plan.units)) if position not in known]
    wanted = with_stages(one for position in missing
                         for many in plan.units[position].features.values() for one in many)
    with progress("Features", len(wanted)) as report:
        features = encode_all(list(wanted.values()), dataset, store, jobs, report)
    failed = {key: outcome for key, outcome in features.items() if isinstance(outcome, Failed)}
    outcomes: dict[int, Done | Failed] = dict(known)
    for position in missing:
        for one in _first_failed(plan.units[position], failed):
            outcomes[position] = replace(
                failed[one.key], error=f"{one.component.label}: {failed[one.key].error}"
            )
    left = [position for position in missing if position not in outcomes]
    with progress("Fits", len(left)) as report:
        fitted = fit_all([plan.units[position] for position in left], context, jobs, report)
    outcomes |= {left[position]: outcome for position, outcome in fitted.items()}
    return features, outcomes


def _first_failed(unit: Unit, failed: Mapping[str, Failed]) -> list[Features]:
    return [one for many in unit.features.values() for one in many if one.key in failed][:1]


def failures(plan: Plan, outcomes: Mapping[int, Done | Failed]) -> list[FailureRecord]:
    """Every cell and fold that failed."""
    return [
        *plan.failures,
        *(
            FailureRecord(
                unit.cell.name, unit.fold.repeat, unit.fold.fold, outcome.error, outcome.traceback
            )
            for position, unit in enumerate(plan.units)
            if isinstance(outcome := outcomes[position], Failed)
        ),
    ]
