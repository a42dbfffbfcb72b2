"""How much the labels matter: the best cells once more, with only a share of each fold's training labels.

The test rows stay the same. Of the training rows a part keeps its labels: nested from share to
share, stratified by class, the same for every cell. The others become rows without a label, which
only fusions that learn from such rows see. Parameters are chosen anew, on inner folds of the
labelled rows. Encoders that learn without labels are those of the whole fold: texts and pictures
are there whether or not somebody has labelled them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

from features.block import Form, Modality
from models import FUSIONS
from pipeline.config.cells import Cell
from pipeline.config.grid import Grid
from pipeline.data.dataset import Dataset
from pipeline.data.rows import Rows
from pipeline.engine.progress import Report, progress
from pipeline.folds.few_labels import few_labels
from pipeline.folds.fold import Fold
from pipeline.plan.combinations import combinations, learn_all
from pipeline.plan.execute import run_plan
from pipeline.plan.plan import Plan, make_plan
from pipeline.results import scores as outcome
from pipeline.store.store import Store
from pipeline.tasks.context import Context
from pipeline.tasks.features import Features, request
from pipeline.tasks.unit import Requests
from reports.analysis.ranking import rank_cells
from reports.record import CurveRecord, FailureRecord, RunRecord


def with_learning_curve(
    record: RunRecord,
    grid: Grid,
    cells: Sequence[Cell],
    plan: Plan,
    dataset: Dataset,
    folds: Sequence[Fold],
    context: Context,
    store: Store,
    jobs: int,
) -> RunRecord:
    """The record with the curve of the grid's shares; what fails at a share is a failure of the cell there only."""
    chosen = curve_cells(cells, record)
    features = _OfWholeFolds(plan, dataset, grid.seed)
    curve, failures = [], list(record.failures)
    for share in grid.learning_curve:
        few = [few_labels(fold, share, grid, dataset) for fold in folds]
        requests = features if share < 1 else None  # the run itself, which lies in the store
        found = _scored(grid, chosen, few, requests, dataset, context, store, jobs, share)
        ordered = tuple(
            found.records[cell, fold.repeat, fold.fold]
            for cell in chosen
            for fold in few
            if (cell, fold.repeat, fold.fold) in found.records
        )
        curve.append(CurveRecord(share, ordered))
        failures += [
            FailureRecord(
                f"{one.cell} with {share:.4g} of the labels",
                one.repeat,
                one.fold,
                one.error,
                one.traceback,
            )
            for one in found.failures
        ]
    return replace(record, learning_curve=tuple(curve), failures=tuple(failures))


def _scored(
    grid: Grid,
    cells: Sequence[Cell],
    folds: Sequence[Fold],
    requests: Requests | None,
    dataset: Dataset,
    context: Context,
    store: Store,
    jobs: int,
    share: float,
) -> outcome.Outcome:
    """Fit, or find in the store, and score all cells at one share."""
    named = partial(_progress, share)
    plan = make_plan(grid, cells, dataset, folds, requests)
    _, outcomes = run_plan(plan, dataset, context, store, jobs, named)
    combined = combinations(plan, cells, folds, grid.seed)
    learn_all(combined, plan, outcomes, context, jobs, named)
    return outcome.collect(plan, outcomes, combined, dataset, context, store)


def _progress(share: float, title: str, total: int) -> AbstractContextManager[Report]:
    return progress(f"{title} with {share:.4g} of the labels", total)


def curve_cells(cells: Sequence[Cell], record: RunRecord) -> list[Cell]:
    """Best cells of one modality, best other fusion, the best cell of each fusion that uses unlabelled rows.

    The cells that they combine come before them.
    """
    uses = {cell.name: FUSIONS[cell.fusion.name].uses_unlabelled for cell in cells}
    by_name = {cell.name: cell for cell in cells}
    best: dict[str, Cell] = {}
    for standing in rank_cells(record).ranked("image", "text", "fusion"):
        cell = by_name[standing.cell.name]
        best.setdefault(cell.fusion.name if uses[cell.name] else standing.kind, cell)
    return list(dict.fromkeys(one for cell in best.values() for one in (*cell.parts, cell)))


class _OfWholeFolds:
    """Features as they were learned from all training rows of a fold, for every split with fewer labels.

    Encoders that learn from labels are the exception: they learn from each split's own labelled
    rows.
    """

    def __init__(self, plan: Plan, dataset: Dataset, seed: int) -> None:
        self._known = {
            (unit.cell, unit.fold.repeat, unit.fold.fold): unit.features for unit in plan.units
        }
        self._dataset, self._seed = dataset, seed

    def of(self, cell: Cell, fold: Fold) -> dict[Modality, list[Features]]:
        """See plan.Requests."""
        known = self._known[cell, fold.repeat, fold.fold]
        return {
            modality: [self._one(known[modality][0], form, train) for train, _, _ in fold.splits()]
            for modality, (_, form) in cell.encoders().items()
        }

    def _one(self, whole: Features, form: Form, train: Rows) -> Features:
        if whole.targets is None:
            return whole
        return request(self._dataset, whole.modality, whole.component, form, train, self._seed)
