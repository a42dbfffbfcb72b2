"""The task of combining: a cell that learns from the results of its parts on a fold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from pipeline.engine.attempts import attempt
from pipeline.engine.task import Outcome, Shown
from pipeline.store.store import Store
from pipeline.tasks.combination import Combination, predicted
from pipeline.tasks.context import context_at
from pipeline.tasks.unit import result_of


@dataclass(frozen=True, eq=False)
class CombineTask(Shown):
    """A cell that learns how to combine others, on a fold.

    Parameters
    ----------
    combination : without its rows.
    context : key of the Context that holds its fold.
    """

    stage: ClassVar[str] = "Combinations"
    memory: ClassVar[float] = 0.0  # a few numbers for each row
    together: ClassVar[None] = None
    all_cores: ClassVar[bool] = False

    combination: Combination
    context: str

    @property
    def keys(self) -> tuple[str, ...]:
        """See Task."""
        return (self.combination.key,)

    @property
    def needs(self) -> tuple[str, ...]:
        """See Task."""
        return tuple(unit.key for unit in self.combination.units)

    @property
    def label(self) -> str:
        """See Task."""
        return self.combination.cell.name

    @property
    def doing(self) -> str:
        """See Task."""
        return f"{self.label}, {self.combination.fold.in_words}"

    def compute(self, store: Store) -> dict[str, Outcome]:
        """See Task."""
        context = context_at(store, self.context)
        fold = context.fold(self.combination.fold.repeat, self.combination.fold.fold)
        combination = self.combination.with_fold(fold)
        results = partial(result_of, store=store)
        return {
            combination.key: attempt(lambda: predicted(combination, context, store, results))
        }
