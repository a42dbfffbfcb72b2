"""The score of each cell as soon as all of its folds are done, while the others are computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np

from pipeline.config.cells import Cell
from pipeline.engine.news import News
from pipeline.engine.progress import Report, scored
from pipeline.engine.showing.state import Score
from pipeline.engine.task import Batch, Done, Outcomes, Task
from pipeline.metrics import METRICS
from pipeline.metrics.retrieval import RETRIEVAL_METRICS
from pipeline.plan.comparison import Comparison
from pipeline.plan.plan import Plan
from pipeline.store.store import Store
from pipeline.tasks.combination import Combination, predicted
from pipeline.tasks.matching import SIDES, inner_score, ranks_of
from pipeline.tasks.unit import Unit, result_of


class CellScores:
    """Says how each cell did once its last fold is done; of what this run computes some of.

    Nothing of it is stored, and nothing that fails here fails a cell: the record is made of the
    same results later.

    Parameters
    ----------
    stored : outcomes of what was computed before.
    """

    def __init__(self, plan: Plan, comparison: Comparison, stored: Outcomes) -> None:
        self._comparison = comparison
        # None is held: those of all folds would fill the memory that fits need.
        self._result = partial(result_of, store=comparison.store)
        self._pieces: dict[Cell, list[Unit | Combination]] = {}
        for piece in chain[Unit | Combination](plan.units, plan.combinations):
            self._pieces.setdefault(piece.cell, []).append(piece)
        self._lacking: dict[Cell, set[str]] = {}
        self._cells: dict[str, list[Cell]] = {}  # that wait for a result, by its key
        for cell, pieces in self._pieces.items():
            keys = {key for key in chain.from_iterable(map(_keys, pieces)) if key not in stored}
            if keys and all(isinstance(piece, Unit) or piece.is_whole for piece in pieces):
                self._lacking[cell] = keys
                for key in keys:
                    self._cells.setdefault(key, []).append(cell)

    def watching(self, comparison: Comparison) -> Comparison:
        """The same comparison, whose tasks are watched while they are computed."""
        inner = comparison.progress

        @contextmanager
        def progress(tasks: Sequence[Task], slots: int, store: Store) -> Iterator[Report]:
            with inner(tasks, slots, store) as report:
                yield _Watched(report, self)

        return replace(comparison, progress=progress)

    def note(self, outcomes: Outcomes) -> None:
        """Take note of results; say the scores of the cells that wait for no other."""
        for key, outcome in outcomes.items():
            for cell in self._cells.pop(key, ()):
                if not isinstance(outcome, Done):
                    self._lacking.pop(cell, None)
                elif cell in self._lacking:
                    self._lacking[cell].discard(key)
                    if not self._lacking[cell]:
                        del self._lacking[cell]
                        self._say(cell)

    def _say(self, cell: Cell) -> None:
        metric = self._comparison.grid.metric
        try:
            values = [self._score(piece, metric) for piece in self._pieces[cell]]
        except Exception:  # whoever makes the record says what is wrong
            return
        known = [value for value in values if np.isfinite(value)]
        mean = float(np.mean(known)) if known else float("nan")
        is_pairs = self._comparison.grid.task == "retrieval"
        better = (RETRIEVAL_METRICS if is_pairs else METRICS)[metric].greater_is_better
        scored(Score(cell.name, metric, mean, len(values), better))

    def _score(self, piece: Unit | Combination, metric: str) -> float:
        comparison = self._comparison
        if isinstance(piece, Combination):
            entry = predicted(piece, comparison.context, comparison.store, self._result)
        else:
            entry = self._result(piece)
        if comparison.grid.task == "retrieval":
            ranked = {direction: ranks_of(entry, direction)[0] for direction in SIDES}
            return inner_score([ranked], RETRIEVAL_METRICS[metric])
        labels = comparison.dataset.labels[piece.fold.test]
        return METRICS[metric](labels, np.asarray(entry.arrays["probabilities"]))


class _Watched:
    """Hands reports on, and takes note of what ended."""

    def __init__(self, report: Report, scores: CellScores) -> None:
        self._report, self._scores = report, scores

    def began(self, batch: Batch) -> None:
        """See Report."""
        self._report.began(batch)

    def ended(self, task: Task, outcomes: Outcomes) -> None:
        """See Report."""
        self._report.ended(task, outcomes)
        self._scores.note(outcomes)

    def heard(self, news: News) -> None:
        """See Report."""
        self._report.heard(news)


def _keys(piece: Unit | Combination) -> tuple[str, ...]:
    """Keys of the results that a piece is scored by."""
    if isinstance(piece, Combination) and not piece.estimator.learns_combination:
        return tuple(unit.key for unit in piece.units)
    return (piece.key,)
