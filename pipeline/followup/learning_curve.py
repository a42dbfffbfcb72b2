"""How much labels matter: the best cells again, with a share of each fold's training labels.

The test rows stay the same. Of the training rows a part keeps its labels: nested from share to
share, stratified by class, the same for every cell. The others become rows without a label, which
only fusions that learn from such rows see. Parameters are chosen anew, on inner folds of the
labelled rows. Encoders that learn without labels are those of the whole fold: texts and pictures
are there whether or not somebody has labelled them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import NamedTuple

from features.block import BlockName, Form
from models import FUSIONS
from models.unlabelled import LearnsFromUnlabelled
from pipeline.config.cells import Cell
from pipeline.engine.progress import progress
from pipeline.engine.task import NotReached
from pipeline.folds.few_labels import few_labels
from pipeline.folds.fold import Fold
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import run_plan
from pipeline.plan.plan import Plan, make_plan
from pipeline.results.scores import Scores
from pipeline.tasks.encoding.features import Features
from pipeline.tasks.encoding.requests import FeatureRequests, TrainingRows
from reports.analysis.ranking import rank_cells
from reports.fold_record import FailureRecord
from reports.follow_up_record import CurveRecord
from reports.record import ScoredRecord


class LearningCurve(NamedTuple):
    """The curve by rising share, and what failed: a cell at a share, not the cell.

    Parameters
    ----------
    not_reached : shares of which the time did not suffice for all cells and folds.
    """

    curve: tuple[CurveRecord, ...]
    failures: tuple[FailureRecord, ...]
    not_reached: tuple[float, ...] = ()


def learning_curve(record: ScoredRecord, plan: Plan, comparison: Comparison) -> LearningCurve:
    """The best cells of a scored run with the shares of the labels that its grid asks for."""
    curve: list[CurveRecord] = []
    failures: list[FailureRecord] = []
    not_reached: list[float] = []
    for share in comparison.grid.learning_curve:
        cells = curve_cells(comparison.cells, record)
        scores = _scored(cells, share, plan, comparison)
        if scores is None:
            not_reached.append(share)
            continue
        curve.append(CurveRecord(share, scores.ordered(cells)))
        failures += [
            replace(failure, cell=f"{failure.cell} with {share:.4g} of the labels")
            for failure in scores.failures
        ]
    return LearningCurve(tuple(curve), tuple(failures), tuple(not_reached))


def _scored(
    cells: Sequence[Cell], share: float, plan: Plan, comparison: Comparison
) -> Scores | None:
    """Fit, or find in the store, and score all cells at one share; None where time was short."""
    folds = [
        few_labels(fold, share, comparison.grid, comparison.dataset) for fold in comparison.folds
    ]
    named = partial(progress, suffix=f" with {share:.4g} of the labels")
    few = comparison.of(cells, folds, named)
    # Features are learned from rows of the whole folds: a run whose results were all there never
    # put these into the store.
    comparison.context.put(comparison.store)
    # All labels are the run itself, which lies in the store.
    plan_of_few = make_plan(few, _OfWholeFolds(plan, few) if share < 1 else None)
    outcomes = run_plan(plan_of_few, few)
    reached = chain(outcomes.units.values(), outcomes.combinations.values())
    if any(isinstance(outcome, NotReached) for outcome in reached):
        return None
    return Scores(plan_of_few, outcomes, few)


def curve_cells(cells: Sequence[Cell], record: ScoredRecord) -> list[Cell]:
    """Best cells of one modality, best other fusion, and best of each that uses unlabelled rows.

    The cells that they combine come before them.
    """
    uses = {
        cell.name: issubclass(FUSIONS[cell.fusion.name], LearnsFromUnlabelled) for cell in cells
    }
    by_name = {cell.name: cell for cell in cells}
    best: dict[str, Cell] = {}
    for standing in rank_cells(record).ranked("image", "text", "fusion"):
        cell = by_name[standing.cell.name]
        best.setdefault(cell.fusion.name if uses[cell.name] else standing.kind, cell)
    with_parts = chain.from_iterable((*cell.parts, cell) for cell in best.values())
    return list(dict.fromkeys(with_parts))


class _OfWholeFolds:
    """Features as learned from all training rows of a fold, for every split with fewer labels.

    Encoders that learn from labels are the exception: they learn from each split's own labelled
    rows.
    """

    def __init__(self, plan: Plan, few: Comparison) -> None:
        self._whole = {
            (unit.cell, unit.fold.repeat, unit.fold.fold): unit.features for unit in plan.units
        }
        self._context = few.context
        self._requests = FeatureRequests(few.dataset, few.context, few.seed)

    def of(self, cell: Cell, fold: Fold) -> dict[BlockName, list[Features]]:
        """See pipeline.tasks.unit.Requests."""
        whole = self._whole[cell, fold.repeat, fold.fold]
        features: dict[BlockName, list[Features]] = {}
        for name, (_, form) in cell.encoders().items():
            features[name] = [
                self._of_split(whole[name][0], form, fold, position)
                for position in range(len(fold.splits()))
            ]
        return features

    def _of_split(self, whole: Features, form: Form, fold: Fold, position: int) -> Features:
        if whole.targets is None:
            return whole
        split = self._context.reference(fold, position)
        training = TrainingRows(fold.splits()[position][0], split)
        return self._requests.request(whole.modality, whole.component, form, training)
