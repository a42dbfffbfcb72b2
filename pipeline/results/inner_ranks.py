"""What spaces score on the inner folds, so that a choice among them needs no test pairs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

from pipeline.engine.task import NotReached, Outcome
from pipeline.metrics.retrieval import RETRIEVAL_METRICS
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import encoded
from pipeline.plan.needs import Needs
from pipeline.plan.plan import Plan, features_of
from pipeline.results.inner_scores import failures
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Entry
from pipeline.tasks.combination import CellFold
from pipeline.tasks.encoding.requests import FeatureRequests
from pipeline.tasks.inner import inner_ingredients
from pipeline.tasks.inner_matching import InnerMatchTask
from pipeline.tasks.matching import MatchingUnits, inner_ranks, inner_score
from pipeline.tasks.unit import Unit
from reports.retrieval.choice import complete_cells, within_reach
from reports.retrieval_record import MatchRecord, RetrievalRecord


class InnerRanks(NamedTuple):
    """What came of ranking on inner folds.

    Parameters
    ----------
    record : with the inner scores of all cells that have some.
    outcomes : of what was computed for this alone, by key.
    not_reached : names of the cells of which a time limit left something.
    """

    record: RetrievalRecord
    outcomes: Mapping[str, Outcome]
    not_reached: tuple[str, ...]


def with_inner_ranks(
    record: RetrievalRecord, plan: Plan, comparison: Comparison
) -> InnerRanks:
    """The record with each cell's score on the inner folds of every outer fold.

    Cells whose inner folds choose a setting have ranks there, in their results; others are learned
    there if they could be chosen. What fails is left out of the choice, and a warning says so.
    """
    units = _units(record, plan, comparison)
    outcomes = _computed(units, comparison)
    folds = tuple(_scored(fold, units, comparison) for fold in record.folds)
    lacking = {(fold.cell, fold.repeat, fold.fold) for fold in folds if fold.inner_score is None}
    scored = replace(
        record,
        folds=folds,
        failed_inside=frozenset(cell for cell, *_ in lacking & units.keys()),
        warnings=(*record.warnings, *failures(outcomes.values())),
    )
    left = [
        cell
        for (cell, *_), unit in units.items()
        if isinstance(outcomes.get(key_of(_ingredients(unit))), NotReached)
    ]
    return InnerRanks(scored, outcomes, tuple(dict.fromkeys(left)))


def _units(
    record: RetrievalRecord, plan: Plan, comparison: Comparison
) -> dict[CellFold, Unit]:
    """With their inner folds, those that could be chosen and whose results hold no ranks there.

    Whatever other runs left in the store: a cell that chooses a setting would have them in its
    results, and so is asked in any case.
    """
    complete = complete_cells(record)
    if len(complete) < 2:
        return {}
    lacking = {
        (fold.cell, fold.repeat, fold.fold)
        for fold in record.folds
        if fold.cell in complete and fold.inner_score is None
    }
    reach: Collection[str] = within_reach(record) if lacking else ()
    whole = {(fold.repeat, fold.fold): fold for fold in comparison.folds}
    requests = FeatureRequests(comparison.dataset, comparison.context, comparison.grid.seed)
    maker = MatchingUnits(comparison.grid, comparison.dataset, requests)
    units = {}
    for unit in plan.units:
        key = unit.cell.name, unit.fold.repeat, unit.fold.fold
        if key in lacking and unit.fold.inner:
            units[key] = unit
        elif key in lacking and unit.cell.name in reach:
            units[key] = maker.unit(unit.cell, whole[key[1:]])
    return units


def _ingredients(unit: Unit) -> Ingredients:
    return inner_ingredients(unit, InnerMatchTask.kind)


def _computed(units: Mapping[CellFold, Unit], comparison: Comparison) -> dict[str, Outcome]:
    """Put the ranks that the store lacks there; outcomes by key."""
    store = comparison.store
    lacking = [unit for unit in units.values() if not store.has(_ingredients(unit))]
    if not lacking:
        return {}
    known = encoded(features_of(lacking).values(), comparison)
    context = comparison.context.put(store)
    needs = Needs(store, comparison.context.classes)
    tasks = [InnerMatchTask(unit.without_rows(), context, needs.of(unit)) for unit in lacking]
    return comparison.run(tasks, known)


def _scored(
    fold: MatchRecord, units: Mapping[CellFold, Unit], comparison: Comparison
) -> MatchRecord:
    """The record with its score on inner folds, where it has one in an entry of its own."""
    unit = units.get((fold.cell, fold.repeat, fold.fold))
    entry = None if unit is None else comparison.store.load(_ingredients(unit))
    if entry is None:
        return fold
    return replace(fold, inner_score=score_of(entry, comparison.grid.metric))


def score_of(entry: Entry, metric: str) -> float | None:
    """Mean score of the ranks on inner folds that an entry holds; None where it holds none."""
    ranked = inner_ranks(entry)
    return inner_score(ranked, RETRIEVAL_METRICS[metric]) if ranked else None
