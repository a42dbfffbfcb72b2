"""What cells score on the inner folds, so that a choice among them needs no test rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import numpy as np

from pipeline.engine.task import Failed, Outcome
from pipeline.folds.fold import Fold
from pipeline.metrics import METRICS
from pipeline.metrics.metric import Probabilities
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import encoded
from pipeline.plan.needs import PROCESS, Needs
from pipeline.plan.plan import Plan, features_of
from pipeline.results.scores import Scores
from pipeline.store.manifest import Entry
from pipeline.tasks.combination import Combination, inner_predictions
from pipeline.tasks.inner import InnerTask, inner_ingredients
from pipeline.tasks.requests import FeatureRequests
from pipeline.tasks.unit import Unit, Units
from reports.analysis.procedures import within_reach
from reports.analysis.ranking import rank_cells
from reports.record import ScoredRecord
from reports.wording import count, listed, quoted

_Key = tuple[str, int, int]  # cell, repeat, fold


class InnerOutcomes(NamedTuple):
    """What came of predicting on inner folds.

    Parameters
    ----------
    record : with the inner scores of all cells that have some.
    outcomes : of what was computed for this alone, by key.
    """

    record: ScoredRecord
    outcomes: Mapping[str, Outcome]


def with_inner_scores(
    record: ScoredRecord, made: Scores, plan: Plan, comparison: Comparison
) -> InnerOutcomes:
    """The record with each cell's score on the inner folds of every outer fold.

    Cells whose results hold predictions on inner folds cost nothing more; others are fitted there
    if they could be chosen. What fails is left out of the choice, and a warning says so.
    """
    inner = _Inner(plan, made, comparison)
    reach = within_reach(rank_cells(record))
    outcomes = inner.computed(reach)
    scores = inner.scores(reach)
    folds = tuple(
        replace(fold, inner_score=scores.get((fold.cell, fold.repeat, fold.fold)))
        for fold in record.folds
    )
    warnings = (*record.warnings, *_failures(outcomes.values()))
    return InnerOutcomes(replace(record, folds=folds, warnings=warnings), outcomes)


class _Inner:
    """The cells of a plan on their inner folds."""

    def __init__(self, plan: Plan, made: Scores, comparison: Comparison) -> None:
        self._comparison, self._scores = comparison, made
        self._asked: set[str] = set()
        self._whole = {(fold.repeat, fold.fold): fold for fold in comparison.folds}
        requests = FeatureRequests(comparison.dataset, comparison.context, comparison.grid.seed)
        self._units = Units(comparison.grid, comparison.dataset, requests)
        pieces: list[Unit | Combination] = [*plan.units, *plan.combinations]
        self._pieces = {_key(piece): piece for piece in pieces}

    def computed(self, names: Iterable[str]) -> dict[str, Outcome]:
        """Put into the store what cells of these names lack; outcomes by key."""
        store = self._comparison.store
        lacking = [
            made
            for made in map(self._made, self._with_parts(set(names)))
            if made is not None and not store.has(inner_ingredients(made))
        ]
        if not lacking:
            return {}
        units = [piece for piece in lacking if isinstance(piece, Unit)]
        known = encoded(features_of(units).values(), self._comparison)
        context = self._comparison.context.put(store)
        needs = Needs(store, self._comparison.context.classes)
        tasks = [
            InnerTask(
                piece.without_rows(),
                context,
                needs.of(piece) if isinstance(piece, Unit) else PROCESS,
            )
            for piece in lacking
        ]
        return self._comparison.run(tasks, known)

    def _with_parts(self, names: set[str]) -> list[Unit | Combination]:
        """The pieces of cells of these names, and of the cells that they combine."""
        cells = {piece.cell for key, piece in self._pieces.items() if key[0] in names}
        parts = chain.from_iterable(cell.parts for cell in cells)
        needed = names | {part.name for part in parts}
        return [piece for key, piece in self._pieces.items() if key[0] in needed]

    def scores(self, names: Iterable[str]) -> dict[_Key, float]:
        """The mean score over the inner folds of each cell and fold that has predictions there.

        Whatever other runs left in the store: of those cells alone that have them at no cost, and
        of those of these names.
        """
        self._asked = {key[0] for key in map(_key, self._with_parts(set(names)))}
        scores = {}
        for key, piece in self._pieces.items():
            predicted = self._predicted(piece)
            if predicted is not None:
                scores[key] = self._score(predicted, self._whole[key[1:]])
        return scores

    def _made(self, piece: Unit | Combination) -> Unit | Combination | None:
        """What has to be computed for a piece; None where its predictions are there, or free."""
        if isinstance(piece, Combination):
            return piece if piece.is_whole and piece.estimator.learns_combination else None
        if piece.keeps_inner:
            return None
        return self._units.unit(piece.cell, self._whole[piece.fold.repeat, piece.fold.fold])

    def _predicted(self, piece: Unit | Combination) -> Probabilities | None:
        """Predictions (n_train, K) on the inner folds; None where there are none."""
        made = self._made(piece)
        if made is not None and piece.cell.name not in self._asked:
            return None
        if made is not None:
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


def _key(piece: Unit | Combination) -> _Key:
    return piece.cell.name, piece.fold.repeat, piece.fold.fold


def _failures(outcomes: Iterable[Outcome]) -> list[str]:
    """A sentence on the cells that could not be fitted on inner folds."""
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    if not failed:
        return []
    names = list(dict.fromkeys(quoted(failure.label) for failure in failed))
    return [
        f"{count(len(failed), 'piece')} of work on inner folds failed ({listed(names[:3])}): "
        f"these cells have no part in the choice. First error: {failed[0].error}"
    ]
