"""Cells that combine others: what they learn from inner folds, and what they predict."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.block import modality_of
from models.classifiers.temperature import fitted_temperature
from models.combining import CombinesPredictions, InnerPredictions, MemberPredictions
from pipeline.config.cells import Cell
from pipeline.folds.fold import Fold
from pipeline.metrics.metric import Probabilities
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.context import Context
from pipeline.tasks.digests import VERSIONS, model_ingredients
from pipeline.tasks.procedures import versions_of
from pipeline.tasks.unit import Unit, is_about, result_of
from pipeline.tasks.views import finite

Results: TypeAlias = Callable[[Unit], Entry]
CellFold: TypeAlias = tuple[str, int, int]  # name of a cell, repeat, fold


@dataclass(frozen=True, eq=False)
class Combination:
    """One cell that has parts, on one outer fold.

    Parameters
    ----------
    units : the parts' own work, in the order of `cell.parts`.
    """

    cell: Cell
    fold: Fold
    estimator: CombinesPredictions
    units: tuple[Unit, ...]

    @cached_property
    def ingredients(self) -> Ingredients:
        """Everything that decides its predictions: the parts' keys hold rows and labels."""
        return {
            "kind": "combination",
            "parts": [unit.key for unit in self.units],
            "model": model_ingredients(self.estimator),
            "versions": VERSIONS,
            **versions_of("combine", "temperature"),
        }

    @cached_property
    def key(self) -> str:
        """Its key in the store."""
        return key_of(self.ingredients)

    def is_result(self, entry: Entry, classes: int) -> bool:
        """Whether an entry may be its result, by the arrays that it has; it knows its rows."""
        return is_about(entry, self.fold, classes)

    @property
    def is_whole(self) -> bool:
        """Whether all of its parts could be planned."""
        return len(self.units) == len(self.cell.parts)

    def without_rows(self) -> Combination:
        """As it travels: the rows of its fold are looked up where they are needed."""
        units = tuple(unit.without_rows() for unit in self.units)
        estimator = self.estimator.unfitted()  # it learns anew wherever it is asked
        return replace(self, fold=self.fold.without_rows(), estimator=estimator, units=units)

    def with_fold(self, fold: Fold) -> Combination:
        """With the rows that it is about."""
        units = tuple(unit.with_fold(fold) for unit in self.units)
        return replace(self, fold=fold, units=units)


def cell_and_fold(piece: Unit | Combination) -> CellFold:
    """What tells a piece of work from all others of a run."""
    return piece.cell.name, piece.fold.repeat, piece.fold.fold


def predicted(
    combination: Combination, context: Context, store: Store, results: Results
) -> Entry:
    """A combination's predictions: from the store where it learns; others cost next to nothing.

    Parameters
    ----------
    results : gives the stored result of a unit.

    Returns
    -------
    probabilities : (n_test, K), among the entry's arrays.
    weights : of each part, or None; among the facts, like the seconds.
    """
    if combination.estimator.learns_combination:
        return store.get(
            combination.ingredients,
            lambda: _result(combination, context, results),
            partial(combination.is_result, classes=context.classes),
        )
    return _result(combination, context, results)


def _result(combination: Combination, context: Context, results: Results) -> Entry:
    entries = [results(unit) for unit in combination.units]
    begun = time.perf_counter()
    estimator = _fitted(combination, entries, context)
    fitted = time.perf_counter()
    probabilities = estimator.combine(
        _parts(combination, entries, "probabilities", combination.fold.test, context)
    )
    return Entry(
        {"probabilities": finite(combination.cell.name, probabilities)},
        {
            "label": combination.cell.name,
            "weights": None if estimator.weights_ is None else estimator.weights_.tolist(),
            "fit_seconds": fitted - begun,
            "predict_seconds": time.perf_counter() - fitted,
            "temperature": _temperature(combination, entries, estimator, context),
        },
    )


def _temperature(
    combination: Combination,
    entries: Sequence[Entry],
    estimator: CombinesPredictions,
    context: Context,
) -> float | None:
    """What calibrates it, from its parts' predictions on inner folds; None where a part has none.

    Rules that learn have learned from the same predictions: few numbers, so that their temperature
    is hardly low.
    """
    if not all(unit.keeps_inner for unit in combination.units):
        return None
    train = combination.fold.train
    return fitted_temperature(
        estimator.combine(_parts(combination, entries, "inner", train, context)),
        context.labels[train],
    )


def _fitted(
    combination: Combination, entries: Sequence[Entry], context: Context
) -> CombinesPredictions:
    labels = context.labels[combination.fold.train]
    learns = combination.estimator.learns_combination
    inner = _inner(combination, entries, labels, context) if learns else None
    return combination.estimator.fit_combination(_frequencies(labels, context.classes), inner)


def _frequencies(labels: NDArray[np.int64], classes: int) -> Probabilities:
    """Shares (K,) of the classes."""
    return np.asarray(np.bincount(labels, minlength=classes) / len(labels))


def inner_predictions(
    combination: Combination, entries: Sequence[Entry], context: Context
) -> Probabilities:
    """Predictions (n_train, K) from those of its parts on the inner folds.

    For each inner fold the rule knows the labels of the others alone, and learns from these where
    it learns: its predictions are for rows that it has not seen.

    Parameters
    ----------
    entries : hold the parts' predictions on the inner folds as `inner`.
    """
    estimator, labels = combination.estimator, context.labels[combination.fold.train]
    inner = _inner(combination, entries, labels, context)
    predicted = np.zeros((len(labels), context.classes))
    for number in np.unique(inner.folds):
        outside = inner.folds == number
        known = InnerPredictions(
            _rows_of(inner.members, ~outside), labels[~outside], inner.folds[~outside]
        )
        rule = estimator.fit_combination(
            _frequencies(known.y, context.classes), known if estimator.learns_combination else None
        )
        predicted[outside] = rule.combine(_rows_of(inner.members, outside))
    return predicted


def _rows_of(members: MemberPredictions, rows: NDArray[np.bool_]) -> MemberPredictions:
    return MemberPredictions(members.probabilities[:, rows], members.present[:, rows])


def refitted(combination: Combination, context: Context, store: Store) -> CombinesPredictions:
    """As it learned from its parts' stored results, to combine other predictions of theirs."""
    return _fitted(combination, [result_of(unit, store) for unit in combination.units], context)


def _parts(
    combination: Combination,
    entries: Sequence[Entry],
    name: str,
    rows: NDArray[np.int64],
    context: Context,
) -> MemberPredictions:
    """The array `name` of every part's result, and which of its rows have the part's modality."""
    modalities = [modality_of(next(iter(unit.features))) for unit in combination.units]
    index = [context.index[modality][rows] for modality in modalities]
    arrays = [np.asarray(entry.arrays[name], dtype=np.float64) for entry in entries]
    present = [positions >= 0 for positions in index]
    return MemberPredictions(np.stack(arrays), np.stack(present))


def _inner(
    combination: Combination, entries: Sequence[Entry], labels: NDArray[np.int64], context: Context
) -> InnerPredictions:
    train = combination.fold.train
    folds = np.zeros(len(train), dtype=np.int64)
    for number, (_, left_out) in enumerate(combination.fold.inner):
        folds[np.searchsorted(train, left_out)] = number
    return InnerPredictions(_parts(combination, entries, "inner", train, context), labels, folds)
