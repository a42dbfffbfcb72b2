"""Cells in order of their score, and any two of them compared on the folds they share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import isfinite, nan
from statistics import fmean

import numpy as np

from reports.analysis.standing import Kind, Modality, Standing, kind_of, spread
from reports.analysis.statistics import (
    Interval,
    Posterior,
    TTest,
    corrected_resampled_interval,
    corrected_resampled_t,
    correlated_bayes,
)
from reports.fold_record import CellRecord, FoldKey, FoldRecord
from reports.record import MetricRecord, ScoredRecord
from reports.retrieval_record import RetrievalRecord

# Fewer independent units (groups, or rows where there are none): drawing the folds again deals the
# same few out anew, so that a test counts the folds of one repeat only.
FEW_UNITS = 30
FEWEST_UNITS = 10  # fewer say too little about those that were not drawn


@dataclass(frozen=True)
class Comparison:
    """One cell against another on the same folds; a positive gain means that `cell` is better.

    `gains` holds ((repeat, fold), gain) in fold order. `test` and `posterior` (with the region of
    differences that do not matter, [-rope, rope] of the metric) are None on a single fold.
    """

    cell: str
    other: str
    gains: tuple[tuple[FoldKey, float], ...]
    interval: Interval
    test: TTest | None
    posterior: Posterior | None

    @property
    def ahead(self) -> int:
        """Number of folds on which `cell` is strictly better."""
        return sum(gain > 0 for _, gain in self.gains)

    @property
    def is_clear(self) -> bool:
        """Whether the gain is above zero and, where there is an interval, all of that."""
        return self.interval.mean > 0 and self.interval.direction != 0

    @property
    def positive(self) -> float | None:
        """Probability of a gain above zero: 1 - p / 2 of the test where the mean is above zero."""
        if self.test is None:
            return None
        half = self.test.p_value / 2
        return 1 - half if self.interval.mean > 0 else half


@dataclass(frozen=True, eq=False)
class Ranking:
    """All cells, best first, incomplete ones last.

    Parameters
    ----------
    folds : those that the ranking metric is defined on.
    units : what was drawn independently and tested: groups, or rows where there are none.
    unit_names : what one of these is called, and several.
    modality : the only one that any cell judges rows by; None where there are both, or neither.
    """

    metric: MetricRecord
    folds: tuple[FoldKey, ...]
    standings: tuple[Standing, ...]
    units: int
    unit_names: tuple[str, str]
    modality: Modality | None

    @property
    def parts(self) -> int:
        """Parts of about one fold's test rows that all rows make: k of k folds."""
        records = list(self.standings[0].folds.values()) if self.standings else []
        sizes = [1 + entry.n_train / len(entry.rows) for entry in records]
        return max(2, round(fmean(sizes))) if sizes else 2

    def best(self, *kinds: Kind) -> Standing | None:
        """Best complete cell of these kinds (any kind if none is named)."""
        return next(
            (
                standing
                for standing in self.standings
                if standing.complete and (not kinds or standing.kind in kinds)
            ),
            None,
        )

    def ranked(self, *kinds: Kind) -> tuple[Standing, ...]:
        """Complete cells of these kinds, best first."""
        return tuple(
            standing
            for standing in self.standings
            if standing.complete and (not kinds or standing.kind in kinds)
        )

    def compare(self, cell: Standing, other: Standing) -> Comparison | None:
        """Gain of `cell` over `other`, fold by fold; None if they share no scored fold."""
        sign = 1 if self.metric.greater_is_better else -1
        shared = [
            key
            for key in self.folds
            if _scored(cell, key, self.metric) and _scored(other, key, self.metric)
        ]
        if not shared:
            return None
        name = self.metric.name
        gains = [
            sign * (cell.folds[key].scores[name] - other.folds[key].scores[name]) for key in shared
        ]
        n_train = [cell.folds[key].n_train for key in shared]
        n_test = [len(cell.folds[key].rows) for key in shared]
        freedom = self.freedom(len(shared), self.units)
        return Comparison(
            cell.cell.name,
            other.cell.name,
            tuple(zip(shared, gains, strict=True)),
            corrected_resampled_interval(gains, n_train, n_test, freedom=freedom),
            corrected_resampled_t(gains, n_train, n_test, freedom),
            correlated_bayes(gains, n_train, n_test, self.metric.rope, freedom),
        )

    def interval(self, cell: Standing) -> Interval:
        """Mean score of a complete cell over the folds, with the corrected interval."""
        records = [cell.folds[key] for key in self.folds]
        interval = corrected_resampled_interval(
            [entry.scores[self.metric.name] for entry in records],
            [entry.n_train for entry in records],
            [len(entry.rows) for entry in records],
            freedom=self.freedom(len(self.folds), self.units),
        )
        low, high = (self.metric.on_scale(end) for end in (interval.low, interval.high))
        return replace(interval, low=low, high=high)

    def freedom(self, folds: int, units: int) -> int:
        """Degrees of freedom of a test over so many folds of so many units.

        One less than the folds, or, where units are few, than the parts that one draw makes.
        """
        return max(1, (folds if units >= FEW_UNITS else min(folds, self.parts)) - 1)


@lru_cache(maxsize=1)  # several sections ask for it
def rank_cells(record: ScoredRecord) -> Ranking:
    """Order the cells by the mean of the run's metric over the folds.

    A fold on which the metric is defined for no cell (one class absent, say) counts for none. A
    cell that failed, or lacks one of the other folds, is not ranked: its mean would be over easier
    or harder folds.

    Raises
    ------
    ValueError
        If the run's metric is not among its metrics.
    """
    metric = ranking_metric(record)
    by_cell: dict[str, dict[FoldKey, FoldRecord]] = {cell.name: {} for cell in record.cells}
    for entry in record.folds:
        by_cell[entry.cell][entry.repeat, entry.fold] = entry
    defined = tuple(
        sorted(
            {
                (entry.repeat, entry.fold)
                for entry in record.folds
                if isfinite(entry.scores.get(metric.name, nan))
            }
        )
    )
    failed = {failure.cell for failure in record.failures}
    standings = [
        _standing(cell, by_cell[cell.name], metric, defined, cell.name in failed)
        for cell in record.cells
    ]
    return Ranking(
        metric,
        defined,
        _in_order(standings, metric),
        _units(record),
        _unit_names(record),
        _only_modality(record),
    )


def _only_modality(record: ScoredRecord) -> Modality | None:
    """See Ranking.modality; cells that a time limit left out count, too."""
    kinds: set[str] = {kind_of(cell) for cell in record.cells}
    kinds |= set() if record.unreached is None else set(record.unreached.kinds)
    names: tuple[Modality, ...] = ("image", "text")
    return next((name for name in names if kinds - {"baseline"} == {name}), None)


def _unit_names(record: ScoredRecord) -> tuple[str, str]:
    """What a unit is called, and several."""
    if record.unseen_classes:
        return "class", "classes"
    return ("row", "rows") if record.groups is None else ("group", "groups")


def _units(record: ScoredRecord) -> int:
    """Number of distinct groups, or rows, among the test rows."""
    tested = [np.zeros(0, dtype=np.int64), *(entry.rows for entry in record.folds)]
    rows = np.unique(np.concatenate(tested))
    return len(rows if record.groups is None else np.unique(record.groups[rows]))


def ranking_metric(record: ScoredRecord | RetrievalRecord) -> MetricRecord:
    """Description of the metric that cells are ranked by."""
    for metric in record.metrics:
        if metric.name == record.metric:
            return metric
    names = [metric.name for metric in record.metrics]
    raise ValueError(f"the run's metric {record.metric!r} is not among {names}")


def _standing(
    cell: CellRecord,
    folds: dict[FoldKey, FoldRecord],
    metric: MetricRecord,
    defined: tuple[FoldKey, ...],
    failed: bool,
) -> Standing:
    scores = [folds[key].scores.get(metric.name, nan) if key in folds else nan for key in defined]
    complete = bool(defined) and not failed and all(map(isfinite, scores))
    return Standing(cell, kind_of(cell), folds, spread(scores), complete, None)


def _in_order(standings: list[Standing], metric: MetricRecord) -> tuple[Standing, ...]:
    sign = -1 if metric.greater_is_better else 1
    complete = sorted(
        (standing for standing in standings if standing.complete),
        key=lambda standing: sign * standing.score.mean,
    )
    means = [sign * standing.score.mean for standing in complete]
    placed = [
        Standing(
            standing.cell,
            standing.kind,
            standing.folds,
            standing.score,
            True,
            1 + sum(other < mean for other in means),
        )
        for standing, mean in zip(complete, means, strict=True)
    ]
    return (*placed, *(standing for standing in standings if not standing.complete))


def _scored(standing: Standing, key: FoldKey, metric: MetricRecord) -> bool:
    return key in standing.folds and isfinite(standing.folds[key].scores.get(metric.name, nan))
