"""What a run has to do: every cell on every fold, and the features that each needs."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from models.combining import CombinesPredictions
from pipeline.config.cells import Cell
from pipeline.engine.attempts import describe
from pipeline.engine.task import Failed, Outcomes
from pipeline.plan.comparison import Comparison
from pipeline.tasks.combination import Combination
from pipeline.tasks.encoding.features import Features, with_stages
from pipeline.tasks.encoding.requests import FeatureRequests
from pipeline.tasks.matching import MatchingUnits
from pipeline.tasks.unit import Requests, Unit, Units
from reports.fold_record import FailureRecord


@dataclass(frozen=True, eq=False)
class Plan:
    """All work of a comparison.

    Parameters
    ----------
    units : cells that are fitted, on every fold.
    combinations : cells that combine others, on every fold.
    features : all distinct features that units need, by key.
    failures : the cells that cannot even be planned.
    """

    units: tuple[Unit, ...]
    combinations: tuple[Combination, ...]
    features: Mapping[str, Features]
    failures: tuple[FailureRecord, ...]

    def failed(self, outcomes: Outcomes) -> list[FailureRecord]:
        """Every cell and fold that failed."""
        failures = list(self.failures)
        for unit in self.units:
            outcome = outcomes[unit.key]
            if isinstance(outcome, Failed):
                numbers = unit.fold.repeat, unit.fold.fold
                failures.append(
                    FailureRecord(unit.cell.name, *numbers, outcome.error, outcome.traceback)
                )
        return failures


def make_plan(comparison: Comparison, requests: Requests | None = None) -> Plan:
    """Describe all work; computes no features and fits nothing.

    `requests` says which features the models get, where these are not learned from their own
    training rows.
    """
    grid, dataset, cells = comparison.grid, comparison.dataset, comparison.cells
    requests = requests or FeatureRequests(dataset, comparison.context, grid.seed)
    kind = MatchingUnits if grid.task == "retrieval" else Units
    maker = kind(grid, dataset, requests)
    learned_from = _learned_from(cells, grid.seed)
    alone = {fold: replace(fold, inner=()) for fold in comparison.folds}
    units: list[Unit] = []
    failures: list[FailureRecord] = []
    for cell in (cell for cell in cells if not cell.parts):
        folds = comparison.folds if _uses_inner(cell, learned_from) else alone.values()
        try:
            units += [maker.unit(cell, fold) for fold in folds]
        except Exception as error:  # a component that cannot be set up fails its cells, not the run
            trace = traceback.format_exc()
            failures.append(FailureRecord(cell.name, None, None, describe(error), trace))
    return Plan(
        tuple(units), _combinations(comparison, units), features_of(units), tuple(failures)
    )


def features_of(units: Iterable[Unit]) -> dict[str, Features]:
    """All distinct features that units need, by key, and the stages that these learn from."""
    by_modality = chain.from_iterable(unit.features.values() for unit in units)
    return with_stages(chain.from_iterable(by_modality))


def _learned_from(cells: Iterable[Cell], seed: int) -> set[Cell]:
    """Cells from whose predictions on inner folds others learn."""
    learning = [
        cell for cell in cells if cell.parts and _combining(cell, seed).learns_combination
    ]
    return set(chain.from_iterable(cell.parts for cell in learning))


def _combining(cell: Cell, seed: int) -> CombinesPredictions:
    estimator = cell.estimator(seed)
    assert isinstance(estimator, CombinesPredictions)  # only such cells have parts
    return estimator


def _uses_inner(cell: Cell, learned_from: Collection[Cell]) -> bool:
    """Whether inner folds have a part in its results: to choose by, or for others to learn from."""
    return len(cell.settings()) > 1 or cell in learned_from


def _combinations(comparison: Comparison, units: Iterable[Unit]) -> tuple[Combination, ...]:
    """Every cell with parts on every fold; units of parts that could not be planned are missing."""
    by_cell = {(unit.cell, unit.fold.repeat, unit.fold.fold): unit for unit in units}
    combinations = []
    for cell in (cell for cell in comparison.cells if cell.parts):
        for fold in comparison.folds:
            planned = [by_cell.get((part, fold.repeat, fold.fold)) for part in cell.parts]
            parts = tuple(unit for unit in planned if unit is not None)
            combinations.append(Combination(cell, fold, _combining(cell, comparison.seed), parts))
    return tuple(combinations)
