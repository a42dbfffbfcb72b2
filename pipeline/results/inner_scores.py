"""What cells score on the inner folds, so that a choice among them needs no test rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cache
from itertools import chain
from typing import NamedTuple

import numpy as np

from pipeline.engine.task import Failed, NotReached, Outcome
from pipeline.folds.fold import Fold
from pipeline.metrics import METRICS
from pipeline.metrics.metric import Probabilities
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import encoded
from pipeline.plan.needs import PROCESS, Needs
from pipeline.plan.plan import Plan, features_of
from pipeline.plan.schedule import side_by_side
from pipeline.results.scores import Scores
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.tasks.combination import CellFold, Combination, cell_and_fold, inner_predictions
from pipeline.tasks.encoding.requests import FeatureRequests
from pipeline.tasks.inner import InnerTask, inner_ingredients
from pipeline.tasks.unit import Unit, Units
from reports.analysis.procedures import within_reach
from reports.analysis.ranking import rank_cells
from reports.record import ScoredRecord
from reports.wording import count, first_listed, quoted


class InnerOutcomes(NamedTuple):
    """What came of predicting on inner folds.

    Parameters
    ----------
    record : with the inner scores of all cells that have some.
    outcomes : of what was computed for this alone, by key.
    not_reached : cells that the time did not suffice to fit on inner folds.
    """

    record: ScoredRecord
    outcomes: Mapping[str, Outcome]
    not_reached: tuple[str, ...]


def with_inner_scores(
    record: ScoredRecord, made: Scores, plan: Plan, comparison: Comparison
) -> InnerOutcomes:
    """The record with each cell's score on the inner folds of every outer fold.

    Cells whose results hold predictions on inner folds cost nothing more; others are fitted there
    if they could be chosen. What fails is left out of the choice, and a warning says so.
    """
    inner = _Inner(plan, made, comparison, within_reach(rank_cells(record)))
    outcomes = inner.computed()
    scores = inner.scores()
    folds = tuple(
        replace(fold, inner_score=scores.get((fold.cell, fold.repeat, fold.fold)))
        for fold in record.folds
    )
    warnings = (*record.warnings, *failures(outcomes.values()))
    scored = replace(record, folds=folds, warnings=warnings)
    return InnerOutcomes(scored, outcomes, inner.not_reached(outcomes))


class _Inner:
    """The cells of a plan on their inner folds.

    Parameters
    ----------
    names : of the cells that are fitted there where their results hold no predictions.
    """

    def __init__(
        self, plan: Plan, made: Scores, comparison: Comparison, names: Collection[str]
    ) -> None:
        self._comparison, self._scores = comparison, made
        self._whole = {(fold.repeat, fold.fold): fold for fold in comparison.folds}
        requests = FeatureRequests(comparison.dataset, comparison.context, comparison.grid.seed)
        self._units = Units(comparison.grid, comparison.dataset, requests)
        pieces: list[Unit | Combination] = [*plan.units, *plan.combinations]
        self._pieces = {cell_and_fold(piece): piece for piece in pieces}
        parts = chain.from_iterable(
            piece.cell.parts for piece in pieces if piece.cell.name in names
        )
        self._asked = frozenset(names) | {part.name for part in parts}
        self._made = cache(self._make)

    def computed(self) -> dict[str, Outcome]:
        """Put into the store what the cells that are asked for lack; outcomes by key."""
        store = self._comparison.store
        lacking = [
            made
            for made in map(self._made, self._pieces.values())
            if made is not None and not store.has(inner_ingredients(made))
        ]
        if not lacking:
            return {}
        units = [piece for piece in lacking if isinstance(piece, Unit)]
        known = encoded(features_of(units).values(), self._comparison)
        context = self._comparison.context.put(store)
        needs = Needs(store, self._comparison.context.classes)
        slots = self._comparison.engine.slots
        tasks = [
            *(
                InnerTask(unit.without_rows(), context, needs.of(unit), together)
                for unit, together in side_by_side(units, slots, needs.work)
            ),
            *(
                InnerTask(piece.without_rows(), context, PROCESS)
                for piece in lacking
                if isinstance(piece, Combination)
            ),
        ]
        return self._comparison.run(tasks, known)

    def not_reached(self, outcomes: Mapping[str, Outcome]) -> tuple[str, ...]:
        """Names of the cells that were asked for and of which something was left."""
        left = [
            piece.cell.name
            for piece, made in ((piece, self._made(piece)) for piece in self._pieces.values())
            if made is not None
            and isinstance(outcomes.get(key_of(inner_ingredients(made))), NotReached)
        ]
        return tuple(dict.fromkeys(left))

    def scores(self) -> dict[CellFold, float]:
        """The mean score over the inner folds of each cell and fold that has predictions there.

        Whatever other runs left in the store: of those cells alone that have them at no cost, and
        of those that are asked for.
        """
        scores = {}
        for key, piece in self._pieces.items():
            predicted = self._predicted(piece)
            if predicted is not None:
                scores[key] = self._score(predicted, self._whole[key[1:]])
        return scores

    def _is_free(self, piece: Unit | Combination) -> bool:
        """Whether its predictions are at hand, or made of its parts' in no time."""
        if isinstance(piece, Unit):
            return piece.keeps_inner
        return not piece.estimator.learns_combination

    def _make(self, piece: Unit | Combination) -> Unit | Combination | None:
        """What is computed for a piece; None where it is free, or nobody asks for it."""
        if self._is_free(piece) or piece.cell.name not in self._asked:
            return None
        if isinstance(piece, Combination):
            return piece if piece.is_whole else None
        return self._units.unit(piece.cell, self._whole[piece.fold.repeat, piece.fold.fold])

    def _predicted(self, piece: Unit | Combination) -> Probabilities | None:
        """Predictions (n_train, K) on the inner folds; None where there are none."""
        if not self._is_free(piece):
            made = self._made(piece)
            if made is None:
                return None
            entry = self._comparison.store.load(inner_ingredients(made))
            return None if entry is None else np.asarray(entry.arrays["inner"])
        if isinstance(piece, Unit):
            return self._scores.inner(piece)
        parts = [self._predicted(unit) for unit in piece.units]
        if not piece.is_whole or any(part is None for part in parts):
            return None
        entries = [Entry({"inner": part}, {}) for part in parts if part is not None]
        return inner_predictions(piece, entries, self._comparison.context)

    def _score(self, predicted: Probabilities, fold: Fold) -> float:
        metric, labels = METRICS[self._comparison.grid.metric], self._comparison.dataset.labels
        values = [
            metric(labels[test], predicted[np.searchsorted(fold.train, test)])
            for _, test in fold.inner
        ]
        known = [value for value in values if np.isfinite(value)]
        return float(np.mean(known)) if known else float("nan")


def failures(outcomes: Iterable[Outcome]) -> list[str]:
    """A sentence on the cells that could not be fitted on inner folds."""
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    if not failed:
        return []
    names = list(dict.fromkeys(quoted(failure.label) for failure in failed))
    return [
        f"{count(len(failed), 'piece')} of work on inner folds failed ({first_listed(names, 3)}): "
        f"these cells have no part in the choice. First error: {failed[0].error}"
    ]
