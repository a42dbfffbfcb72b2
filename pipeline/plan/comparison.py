"""What one run compares, on which rows, and where its work is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from pipeline.config.cells import Cell
from pipeline.config.grid import Grid
from pipeline.data.dataset import Dataset
from pipeline.engine.limit import Limit
from pipeline.engine.progress import Progress
from pipeline.engine.run_all import run_all
from pipeline.engine.task import Done, Engine, Outcome, Outcomes, Task
from pipeline.folds.fold import Fold
from pipeline.store.store import Store
from pipeline.tasks.context import Context, context_of


@dataclass(frozen=True, eq=False)
class Comparison:
    """The cells of a grid over the same folds of a data set, with the means to compute them.

    Parameters
    ----------
    progress : shows how far the work has come.
    limit : says which tasks may still begin; None for all.
    computed : what its tasks computed so far, for it and for others of the same data set.
    hindered : what of them failed or was not reached.
    """

    grid: Grid
    cells: tuple[Cell, ...]
    dataset: Dataset
    folds: tuple[Fold, ...]
    store: Store
    engine: Engine
    progress: Progress
    limit: Limit | None = None
    computed: list[Done] = field(default_factory=list)
    hindered: list[Outcome] = field(default_factory=list)

    @cached_property
    def context(self) -> Context:
        """What its tasks need of the rows and folds."""
        return context_of(self.dataset, self.folds, self.grid.tuning_metric)

    @property
    def seed(self) -> int:
        """What every random choice derives from."""
        return self.grid.seed

    def of(
        self, cells: Sequence[Cell], folds: Sequence[Fold], progress: Progress
    ) -> Comparison:
        """Other cells over other folds of the same data set."""
        return replace(self, cells=tuple(cells), folds=tuple(folds), progress=progress)

    @property
    def is_over(self) -> bool:
        """Whether its limit allows no further work."""
        return self.limit is not None and not self.limit.allows(())

    def run(self, tasks: Sequence[Task], known: Outcomes | None = None) -> dict[str, Outcome]:
        """Compute tasks; see `run_all`."""
        outcomes = run_all(tasks, self.engine, self.store, self.progress, known, self.limit)
        done = [outcome for outcome in outcomes.values() if isinstance(outcome, Done)]
        self.computed.extend(outcome for outcome in done if not outcome.reused)
        self.hindered.extend(
            outcome for outcome in outcomes.values() if not isinstance(outcome, Done)
        )
        return outcomes
