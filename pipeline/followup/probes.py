"""The second phase: what the best cells' fitted models say of altered test rows.

It looks at the best cell of each fusion and at the best single modalities, on the folds of the
first repeat: each model is fitted once more under its chosen parameters, and what it predicts is
stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from features.block import Modality, modalities_of
from pipeline.engine.task import Done, Failed, NotReached, Outcome, Outcomes
from pipeline.followup.probe import Probe
from pipeline.followup.probe_task import ProbeTask
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import encode_lost
from pipeline.plan.needs import PROCESS, Needs
from pipeline.plan.plan import Plan
from pipeline.tasks.unit import Unit
from reports.analysis.ranking import rank_cells
from reports.analysis.standing import Kind
from reports.record import ScoredRecord


class Probed(NamedTuple):
    """What came of the second phase.

    Parameters
    ----------
    probes : those of the chosen cells that succeeded, cell by cell.
    outcomes : of every piece of work.
    problems : one sentence for each cell that could not be asked.
    not_reached : cells that the time did not suffice to ask.
    """

    probes: list[Probe]
    outcomes: Outcomes
    problems: list[str]
    not_reached: tuple[str, ...]


def probe_all(record: ScoredRecord, plan: Plan, comparison: Comparison) -> Probed:
    """Put what the chosen cells say of altered rows into the store."""
    probes = _chosen(record, _probes(plan, comparison.seed))
    work = _with_parts(probes)
    outcomes: dict[str, Outcome] = {}
    for key, probe in work.items():
        entry = comparison.store.load(probe.ingredients)
        if entry is not None:
            outcomes[key] = Done(entry.seconds, reused=True)
    missing = [probe for key, probe in work.items() if key not in outcomes]
    outcomes |= _asked(missing, comparison, outcomes)
    broken = _errors(probes, outcomes)
    problems = [
        f"The second phase could not ask {name} about altered rows: {error}"
        for name, error in broken.items()
    ]
    left = _not_reached(probes, outcomes)
    lacking = broken.keys() | left
    succeeded = [probe for probe in probes if probe.target.cell.name not in lacking]
    names = tuple(name for name in left if name not in broken)
    return Probed(succeeded, outcomes, problems, names)


def _chosen(record: ScoredRecord, probes: Sequence[Probe]) -> list[Probe]:
    """Probes of the best complete cell of each fusion, and of each that judges by one modality."""
    fusions = {probe.target.cell.name: probe.target.cell.fusion.name for probe in probes}
    best: dict[tuple[str, Kind], str] = {}
    for standing in rank_cells(record).ranked("image", "text", "fusion"):
        if standing.cell.name in fusions:
            best.setdefault((fusions[standing.cell.name], standing.kind), standing.cell.name)
    return [probe for probe in probes if probe.target.cell.name in best.values()]


def _probes(plan: Plan, seed: int) -> list[Probe]:
    """A probe of every unit and combination of the first repeat."""
    units: dict[str, Probe] = {}
    for unit in plan.units:
        if unit.fold.repeat == 0:
            modalities = _modalities(unit).intersection(unit.estimator.asked)
            units[unit.key] = Probe(unit, modalities, seed)
    combinations = []
    for combination in plan.combinations:
        if combination.fold.repeat == 0 and combination.is_whole:
            parts = tuple(units[unit.key] for unit in combination.units)
            used = chain.from_iterable(map(_modalities, combination.units))
            combinations.append(Probe(combination, frozenset(used), seed, parts))
    return [*units.values(), *combinations]


def _modalities(unit: Unit) -> frozenset[Modality]:
    return frozenset(modalities_of(unit.features))


def _with_parts(probes: Iterable[Probe]) -> dict[str, Probe]:
    """All probes to be made for some, by key: parts before what they are parts of."""
    probes = list(probes)
    parts = chain.from_iterable(probe.parts for probe in probes)
    return {probe.key: probe for probe in (*parts, *probes)}


def _asked(
    probes: Sequence[Probe], comparison: Comparison, known: Outcomes
) -> dict[str, Outcome]:
    """Ask what the store does not know. Features that it has no longer are encoded again."""
    if not probes:
        return {}
    units = [probe.target for probe in probes if isinstance(probe.target, Unit)]
    encode_lost(units, comparison)  # what fails here fails the probe that needs it
    context = comparison.context.put(comparison.store)
    needs = Needs(comparison.store, comparison.context.classes)
    tasks = []
    for probe in probes:
        memory = needs.of(probe.target) if isinstance(probe.target, Unit) else PROCESS
        tasks.append(ProbeTask(probe.without_rows(), context, memory))
    return comparison.run(tasks, known)


def _not_reached(probes: Iterable[Probe], outcomes: Outcomes) -> dict[str, None]:
    """Names of the cells of which not all was asked that there was to ask."""
    names: dict[str, None] = {}
    for probe in probes:
        asked = [outcomes.get(part.key) for part in (*probe.parts, probe)]
        if any(isinstance(outcome, NotReached) for outcome in asked):
            names[probe.target.cell.name] = None
    return names


def _errors(probes: Iterable[Probe], outcomes: Outcomes) -> dict[str, str]:
    """The first error of each cell that could not be asked."""
    errors: dict[str, str] = {}
    for probe in probes:
        for part in (*probe.parts, probe):
            outcome = outcomes.get(part.key)
            if isinstance(outcome, Failed):
                errors.setdefault(probe.target.cell.name, outcome.error)
    return errors
