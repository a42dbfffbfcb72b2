"""What somebody gets who chooses a space on inner folds: its score on the outer ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from statistics import fmean
from typing import Literal

import numpy as np

from reports.analysis.bootstrap import Pooled
from reports.analysis.procedures import REACH
from reports.analysis.ranking import FEWEST_UNITS, ranking_metric
from reports.fold_record import FoldKey
from reports.record import MetricRecord
from reports.retrieval.resampled import pooled_scores
from reports.retrieval_record import MatchRecord, RetrievalRecord

Pool = Literal["all", "learned", "simplest"]
NAMES: Mapping[Pool, str] = {
    "all": "chosen among all spaces",
    "learned": "chosen among learned spaces",
    "simplest": "chosen among the simplest spaces",
}


@dataclass(frozen=True, eq=False)
class Choice:
    """Choosing among the spaces of a pool, on the inner folds of every outer fold.

    Each outer fold is asked in the space that its own inner folds choose: the best mean of the
    run's metric over them, both ways (equals: the first by name). Inner folds are made of training
    pairs alone, so the ranks are what a user gets who runs the grid and takes the best; see
    reports.analysis.procedures.Procedure, which does the same for classes.

    Parameters
    ----------
    folds : the record of the chosen cell on each outer fold, in their order.
    candidates : names of the cells that could be chosen.
    left_out : complete cells of the pool without a score on the inner folds: too far behind, or
        failed there.
    """

    pool: Pool
    folds: tuple[MatchRecord, ...]
    candidates: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def chosen(self) -> Mapping[FoldKey, str]:
        """The cell that was chosen on each fold."""
        return {(fold.repeat, fold.fold): fold.cell for fold in self.folds}

    @property
    def favourite(self) -> tuple[str, int]:
        """The cell chosen most often, and on how many folds."""
        return Counter(self.chosen.values()).most_common(1)[0]

    def times(self, cell: str) -> int:
        """On how many folds a cell was chosen."""
        return list(self.chosen.values()).count(cell)

    @property
    def column(self) -> str:
        """What it is called among the cells: as the only one it chose, where it is always this."""
        name, times = self.favourite
        return name if times == len(self.folds) else NAMES[self.pool]


def complete_cells(record: RetrievalRecord) -> dict[str, list[MatchRecord]]:
    """The records of every cell that has all folds, in their order; none of one that failed."""
    expected = {(fold.repeat, fold.fold) for fold in record.folds}
    failed = {failure.cell for failure in record.failures}
    by_cell: dict[str, list[MatchRecord]] = {cell.name: [] for cell in record.cells}
    for fold in record.folds:
        by_cell[fold.cell].append(fold)
    return {
        name: sorted(folds, key=lambda fold: (fold.repeat, fold.fold))
        for name, folds in by_cell.items()
        if folds and len(folds) == len(expected) and name not in failed
    }


def choices(
    record: RetrievalRecord, by_cell: Mapping[str, Sequence[MatchRecord]]
) -> dict[Pool, Choice]:
    """The choice of every pool that has a candidate; `by_cell` as `complete_cells` gives it."""
    metric = ranking_metric(record)
    made = {
        pool: _choice(pool, {name: by_cell[name] for name in names}, metric)
        for pool, names in _pools(record, by_cell).items()
    }
    return {pool: choice for pool, choice in made.items() if choice is not None}


def _pools(record: RetrievalRecord, names: Iterable[str]) -> dict[Pool, list[str]]:
    """Names of the cells of each pool, sorted."""
    ordered = sorted(names)
    return {
        "all": ordered,
        "learned": [name for name in ordered if name not in record.simplest],
        "simplest": [name for name in ordered if name in record.simplest],
    }


def _choice(
    pool: Pool, by_cell: Mapping[str, Sequence[MatchRecord]], metric: MetricRecord
) -> Choice | None:
    """The choice of a pool; its only cell needs none. None without a candidate."""
    scored = [name for name, folds in by_cell.items() if all(map(_is_scored, folds))]
    candidates = list(by_cell) if len(by_cell) == 1 else scored
    if not candidates:
        return None
    sign = 1 if metric.greater_is_better else -1
    folds = tuple(
        max(of_fold, key=lambda fold: sign * (fold.inner_score or 0.0))
        for of_fold in zip(*(by_cell[name] for name in candidates), strict=True)
    )
    left_out = tuple(name for name in by_cell if name not in candidates)
    return Choice(pool, folds, tuple(candidates), left_out)


def _is_scored(fold: MatchRecord) -> bool:
    return fold.inner_score is not None and isfinite(fold.inner_score)


def within_reach(record: RetrievalRecord) -> tuple[str, ...]:
    """Complete cells that are worth fitting on inner folds where their results hold no ranks there.

    Of each pool with several cells these are the best and those near it. With s the standard error
    of the difference of two cells over the n distinct pairs that are asked (see
    `resampled.pooled_scores`), it is about s sqrt(n / n_train) over the n_train pairs of inner
    folds; where these are others than those asked, as with a hold-out, both errors add up. A cell
    that is behind by more than REACH times s sqrt(1 + n / n_train), and by more than matters twice,
    is out of reach: it would hardly ever be chosen.
    """
    by_cell, metric = complete_cells(record), ranking_metric(record)
    if len(by_cell) < 2:
        return ()
    scores = pooled_scores(replace(record, metrics=(metric,)), by_cell)["both", metric.name]
    folds = next(iter(by_cell.values()))
    tested = len(np.unique(np.concatenate([fold.rows for fold in folds])))
    share = sqrt(1 + tested / fmean(fold.n_train for fold in folds))
    names: dict[str, None] = {}
    for pool in _pools(record, by_cell).values():
        if len(pool) > 1:
            names |= dict.fromkeys(_near(pool, scores, share))
    return tuple(names)


def _near(names: Sequence[str], scores: Pooled, share: float) -> list[str]:
    """The best of some cells and those near it."""
    metric, positions = scores.metric, [scores.cells.index(name) for name in names]
    sign = 1 if metric.greater_is_better else -1
    best = max(positions, key=lambda position: sign * scores.estimates[position])
    if scores.units < FEWEST_UNITS:
        return list(names)
    behind = np.abs(scores.estimates[positions] - scores.estimates[best])
    errors = (scores.replicates[:, positions] - scores.replicates[:, [best]]).std(axis=0, ddof=1)
    reach = np.maximum(REACH * share * errors, 2 * metric.rope)
    return [name for name, is_near in zip(names, behind <= reach, strict=True) if is_near]

