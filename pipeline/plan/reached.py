"""What of a plan is whole where a time limit ended its work: what can be compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

from pipeline.config.cells import Cell
from pipeline.engine.task import NotReached, Outcomes
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import PlanOutcomes
from pipeline.plan.plan import Plan, features_of
from pipeline.plan.waves import Piece, Stages, kind_of
from pipeline.tasks.unit import Unit
from reports.unreached_record import UnreachedRecord


@dataclass(frozen=True, eq=False)
class Reached:
    """The part of a plan that is whole, as a plan and a comparison of its own.

    Parameters
    ----------
    unreached : what was left out; None where all is there.
    """

    plan: Plan
    comparison: Comparison
    unreached: UnreachedRecord | None


def reached(plan: Plan, outcomes: PlanOutcomes, comparison: Comparison) -> Reached:
    """What is whole of a plan: the repeats that all cheap cells have, and cells whole on these.

    Where cheap cells alone could not give the answer, the most repeats on which some cells can that
    are whole there. Where not even the first repeat is whole, what cells have the whole of it: they
    can be shown, and nothing be concluded. Failures are outcomes: they are reached.
    """
    if comparison.limit is None:
        return Reached(plan, comparison, None)
    stages = Stages(plan, comparison.cells)
    whole = _Whole(stages, outcomes)
    repeats, decides = whole.compared()
    cells = whole.cells(repeats)
    complete = frozenset(cells)
    left_out = [cell for cell in comparison.cells if cell not in complete]
    if not left_out and repeats == len(stages.repeats):
        return Reached(plan, comparison, None)
    numbers = stages.repeats[:repeats]
    folds = [fold for fold in comparison.folds if fold.repeat in numbers]
    compared = frozenset(product(cells, numbers))
    units = tuple(unit for unit in plan.units if _coordinates(unit) in compared)
    combinations = tuple(piece for piece in plan.combinations if _coordinates(piece) in compared)
    return Reached(
        replace(plan, units=units, combinations=combinations, features=features_of(units)),
        comparison.of(cells, folds, comparison.progress),
        UnreachedRecord(
            comparison.limit.text,
            repeats,
            len(stages.repeats),
            tuple(cell.name for cell in left_out),
            tuple(dict.fromkeys(map(kind_of, left_out))),
            decides=decides,
        ),
    )


class _Whole:
    """Which cells have which repeats."""

    def __init__(self, stages: Stages, outcomes: PlanOutcomes) -> None:
        self._stages, self._outcomes = stages, outcomes
        self._lacking = {
            cell: {piece.fold.repeat for piece in pieces if not self._is_reached(piece)}
            for cell, pieces in stages.pieces.items()
        }

    def compared(self) -> tuple[int, bool]:
        """How many repeats are compared, and whether anything can be concluded from them."""
        most = self._repeats_of_cheap()
        for repeats in range(most, 0, -1):
            if self._stages.answers(self.cells(repeats)):
                return repeats, True
        return (most if self._stages.cheap and most else 1), False

    def cells(self, repeats: int) -> tuple[Cell, ...]:
        """Cells that have the whole of the first so many repeats."""
        asked = set(self._stages.repeats[:repeats])
        return tuple(cell for cell, lacking in self._lacking.items() if not lacking & asked)

    def _repeats_of_cheap(self) -> int:
        lacking = set[int]().union(*(self._lacking[cell] for cell in self._stages.cheap))
        repeats = self._stages.repeats
        return next((n for n, repeat in enumerate(repeats) if repeat in lacking), len(repeats))

    def _is_reached(self, piece: Piece) -> bool:
        if isinstance(piece, Unit):
            return _is_there(piece.key, self._outcomes.units)
        parts = all(_is_there(unit.key, self._outcomes.units) for unit in piece.units)
        return parts and _is_there(piece.key, self._outcomes.combinations)


def _is_there(key: str, outcomes: Outcomes) -> bool:
    return not isinstance(outcomes.get(key), NotReached)


def _coordinates(piece: Piece) -> tuple[Cell, int]:
    return piece.cell, piece.fold.repeat
