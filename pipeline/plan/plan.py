"""What a run has to do: every cell on every fold, the features each needs, and what the store already holds."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from features.block import Modality
from pipeline.config.cells import Cell
from pipeline.config.grid import Grid
from pipeline.data.dataset import Dataset
from pipeline.engine.attempts import describe
from pipeline.folds.fold import Fold
from pipeline.tasks.digests import rows_digest
from pipeline.tasks.features import Features, described_once, request, with_stages
from pipeline.tasks.unit import Requests, Unit, make_unit
from reports.record import FailureRecord


@dataclass(frozen=True, eq=False)
class Plan:
    """All units of a run, all distinct features they need, and the cells that cannot even be planned."""

    units: tuple[Unit, ...]
    features: Mapping[str, Features]
    failures: tuple[FailureRecord, ...]


class _Requests:
    """The features that units ask for, learned from their own training rows, each described once."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self._dataset, self._seed, self._describe = dataset, seed, described_once()
        self._known: dict[tuple[Any, ...], Features] = {}

    def of(self, cell: Cell, fold: Fold) -> dict[Modality, list[Features]]:
        """See Requests."""
        training = [fold.train, *(train for train, _ in fold.inner)]
        found: dict[Modality, list[Features]] = {}
        for modality, (component, form) in cell.encoders().items():
            found[modality] = []
            for position, rows in enumerate(training):
                place = (modality, component, form, fold.repeat, fold.fold, position)
                if place not in self._known:
                    self._known[place] = request(
                        self._dataset, modality, component, form, rows, self._seed, self._describe
                    )
                found[modality].append(self._known[place])
        return found


def make_plan(
    grid: Grid,
    cells: Sequence[Cell],
    dataset: Dataset,
    folds: Sequence[Fold],
    requests: Requests | None = None,
) -> Plan:
    """Describe all work; computes no features and fits nothing.

    `requests` says which features the models get, where these are not learned from their own
    training rows.
    """
    requests = requests or _Requests(dataset, grid.seed)
    learned_from = {
        part
        for cell in cells
        if cell.parts and cell.estimator(grid.seed).learns_combination
        for part in cell.parts
    }
    alone = {fold: replace(fold, inner=()) for fold in folds}
    digest = cache(partial(rows_digest, dataset))  # the same for many cells
    units: list[Unit] = []
    failures: list[FailureRecord] = []
    for cell in (cell for cell in cells if not cell.parts):
        try:
            units += [
                make_unit(
                    grid,
                    cell,
                    dataset,
                    fold if _uses_inner(cell, learned_from) else alone[fold],
                    requests,
                    digest,
                )
                for fold in folds
            ]
        except Exception as error:  # a component that cannot be set up fails its cells, not the run
            failures.append(
                FailureRecord(cell.name, None, None, describe(error), traceback.format_exc())
            )
    features = with_stages(one for unit in units for many in unit.features.values() for one in many)
    return Plan(tuple(units), features, tuple(failures))


def _uses_inner(cell: Cell, learned_from: Collection[Cell]) -> bool:
    """Whether inner folds have a part in its results: to choose by, or for others to learn from."""
    return len(cell.settings()) > 1 or cell in learned_from
