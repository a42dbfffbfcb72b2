"""How much the labels matter: the best cells once more, with only a share of each fold's training labels.

The test rows stay the same. Of the training rows a part keeps its labels: nested from share to share, stratified
by class, the same for every cell. The others become rows without a label, which only fusions that learn from
such rows see. Parameters are chosen anew, on inner folds of the labelled rows. Encoders that learn without
labels are those of the whole fold: texts and pictures are there whether or not somebody has labelled them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.block import Form, Modality
from models import FUSIONS
from pipeline import outcome
from pipeline.cells import Cell
from pipeline.combine import combinations, learn_all
from pipeline.config import Grid
from pipeline.dataset import Dataset
from pipeline.encode import Features, request
from pipeline.evaluate import Context, run_plan
from pipeline.folds import Fold, stratified, with_unlabelled
from pipeline.plan import Plan, Requests, make_plan
from pipeline.progress import Report, progress
from pipeline.randomness import derive
from pipeline.store import Store
from reports.ranking import rank_cells
from reports.record import CurveRecord, FailureRecord, RunRecord

Rows = NDArray[np.int64]


def with_learning_curve(
    record: RunRecord, grid: Grid, cells: Sequence[Cell], plan: Plan, dataset: Dataset, folds: Sequence[Fold],
    context: Context, store: Store, jobs: int,
) -> RunRecord:
    """The record with the curve of the grid's shares; what fails at a share is a failure of the cell there only."""
    chosen = curve_cells(cells, record)
    features = _OfWholeFolds(plan, dataset, grid.seed)
    curve, failures = [], list(record.failures)
    for share in grid.learning_curve:
        few = [few_labels(fold, share, grid, dataset) for fold in folds]
        requests = features if share < 1 else None  # the run itself, which lies in the store
        found = _scored(grid, chosen, few, requests, dataset, context, store, jobs, share)
        ordered = tuple(found.records[cell, fold.repeat, fold.fold] for cell in chosen for fold in few
                        if (cell, fold.repeat, fold.fold) in found.records)
        curve.append(CurveRecord(share, ordered))
        failures += [FailureRecord(f"{one.cell} with {share:.4g} of the labels", one.repeat, one.fold, one.error,
                                   one.traceback) for one in found.failures]
    return replace(record, learning_curve=tuple(curve), failures=tuple(failures))


def _scored(
    grid: Grid, cells: Sequence[Cell], folds: Sequence[Fold], requests: Requests | None, dataset: Dataset,
    context: Context, store: Store, jobs: int, share: float,
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


def few_labels(fold: Fold, share: float, grid: Grid, dataset: Dataset) -> Fold:
    """The fold with the labels of a share of its training rows, one of each class at least."""
    if share == 1:
        return fold
    seed = derive(grid.seed, "learning curve", fold.repeat, fold.fold)
    train = labelled_rows(fold.train, dataset.labels, share, seed)
    hidden = np.union1d(np.setdiff1d(fold.train, train), fold.splits()[0][2])
    return with_unlabelled(replace(fold, train=train, inner=_inner(train, dataset, grid.split.inner, seed),
                                   unlabelled=()), hidden, dataset)


def labelled_rows(train: Rows, labels: Rows, share: float, seed: int) -> Rows:
    """Rows (sorted) that keep their label: round(share * n_k), one at least, of the n_k rows of each class k.

    A smaller share of the same seed gives some of the rows that a larger one gives.
    """
    rng = np.random.default_rng(seed)
    kept = [rng.permutation(rows)[: max(1, round(share * len(rows)))]
            for rows in (train[labels[train] == code] for code in np.unique(labels[train]))]
    return np.sort(np.concatenate(kept))


def _inner(train: Rows, dataset: Dataset, count: int, seed: int) -> tuple[tuple[Rows, Rows], ...]:
    """Inner folds of few labelled rows: stratified where a class has two rows; none where all are one group."""
    labels, groups = dataset.labels[train], None if dataset.groups is None else dataset.groups[train]
    units = np.arange(len(train)) if groups is None else groups
    count = min(count, len(np.unique(units)))
    largest = int(np.unique(labels, return_counts=True)[1].max())
    if count < 2:
        return ()
    if largest > 1:
        return tuple((train[inside], train[outside]) for inside, outside in stratified(
            train, labels, groups, min(count, largest), seed, "split.inner"))
    drawn = np.array_split(np.random.default_rng(seed).permutation(np.unique(units)), count)
    return tuple((train[~np.isin(units, part)], train[np.isin(units, part)]) for part in drawn)


class _OfWholeFolds:
    """Features as they were learned from all training rows of a fold, for every split with fewer labels.

    Encoders that learn from labels are the exception: they learn from each split's own labelled rows.
    """

    def __init__(self, plan: Plan, dataset: Dataset, seed: int) -> None:
        self._known = {(unit.cell, unit.fold.repeat, unit.fold.fold): unit.features for unit in plan.units}
        self._dataset, self._seed = dataset, seed

    def of(self, cell: Cell, fold: Fold) -> dict[Modality, list[Features]]:
        """See plan.Requests."""
        known = self._known[cell, fold.repeat, fold.fold]
        return {modality: [self._one(known[modality][0], form, train) for train, _, _ in fold.splits()]
                for modality, (_, form) in cell.encoders().items()}

    def _one(self, whole: Features, form: Form, train: Rows) -> Features:
        if whole.targets is None:
            return whole
        return request(self._dataset, whole.modality, whole.component, form, train, self._seed)
