"""The combinations of a plan: which there are, and their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from models.combining import CombinesPredictions
from pipeline.config.cells import Cell
from pipeline.engine.attempts import Done, Failed, attempt
from pipeline.engine.processes import side_by_side
from pipeline.folds.fold import Fold
from pipeline.plan.plan import Plan
from pipeline.tasks.combination import Combination, predicted
from pipeline.tasks.context import Context, store_at
from pipeline.tasks.unit import result_of


def combinations(
    plan: Plan, cells: Sequence[Cell], folds: Sequence[Fold], seed: int
) -> list[Combination]:
    """Every cell with parts on every fold; units of parts that could not even be planned are missing."""
    units = {(unit.cell, unit.fold.repeat, unit.fold.fold): unit for unit in plan.units}
    return [
        Combination(
            cell,
            fold,
            _combining(cell, seed),
            tuple(
                units[place]
                for part in cell.parts
                if (place := (part, fold.repeat, fold.fold)) in units
            ),
        )
        for cell in cells
        if cell.parts
        for fold in folds
    ]


def _combining(cell: Cell, seed: int) -> CombinesPredictions:
    estimator = cell.estimator(seed)
    assert isinstance(estimator, CombinesPredictions)  # only such cells have parts
    return estimator


def learn_all(
    wanted: Sequence[Combination],
    plan: Plan,
    outcomes: Mapping[int, Done | Failed],
    context: Context,
    jobs: int,
    progress: Any,
) -> dict[int, Done | Failed]:
    """Put the results of combinations that learn from inner folds into the store; outcome by position in `wanted`.

    What combines a unit that failed is left out.
    """
    failed = {
        id(plan.units[position])
        for position, outcome in outcomes.items()
        if isinstance(outcome, Failed)
    }
    positions = [position for position, one in enumerate(wanted)
                 if one.estimator.learns_combination and len(one.units) == len(one.cell.parts)
                 and not any(id(unit) in failed for unit in one.units)]
    found: dict[int, Done | Failed] = {}
    with progress("Combinations", len(positions)) as report:
        tasks = [(wanted[position], context) for position in positions]
        for number, outcome in side_by_side(_learned, tasks, jobs):
            found[positions[number]] = outcome
            report(wanted[positions[number]].cell.name)
    return found


def _learned(combination: Combination, context: Context) -> Done | Failed:
    return attempt(
        lambda: predicted(combination, context, partial(result_of, store=store_at(context.store)))
    )
