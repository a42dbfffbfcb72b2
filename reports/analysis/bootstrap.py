"""Bootstrap intervals of pooled out-of-fold scores and of their differences, for all cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from reports.analysis.ranking import FEWEST_UNITS, rank_cells, ranking_metric
from reports.analysis.standing import Standing
from reports.analysis.weighted_scores import WEIGHTED, Floats, redrawn, resampled
from reports.record import MetricRecord, RunRecord

RESAMPLES = 1000
PRECISION = 1e-4  # of p values
AT_ONCE = 2**25  # weights in memory together: a million rows drawn a thousand times are 4 GB


@dataclass(frozen=True)
class PooledInterval:
    """A score of the pooled out-of-fold predictions, or a difference of two, and its interval.

    The interval lies between percentiles of the resamples, each end moved away from the estimate by
    t(G - 1) / z for G units: resamples of few are too alike, as a sample's own variance is too
    small (Davison and Hinkley 1997, Bootstrap Methods and their Application, section 2.4). It is
    conditional on the fitted models: it shows how much the score would vary over other test rows
    (or groups), not over other training rows.

    Parameters
    ----------
    low, high : ends of the interval; None where there are fewer than FEWEST_UNITS units.
    units : rows, or groups where `grouped`, that were drawn with replacement.
    """

    estimate: float
    low: float | None
    high: float | None
    units: int
    grouped: bool
    level: float = 0.95


@dataclass(frozen=True, eq=False)
class Pooled:
    """Pooled score of C cells, as it is and in B resamples that are the same for all of them.

    Parameters
    ----------
    cells : names of the complete cells.
    estimates : (C,); `replicates` : (B, C).
    """

    metric: MetricRecord
    cells: tuple[str, ...]
    estimates: Floats
    replicates: Floats
    units: int
    grouped: bool

    def score(self, cell: str, level: float = 0.95) -> PooledInterval:
        """Score of a cell. Raises KeyError for a cell that is not complete."""
        column = self._column(cell)
        interval = self._interval(float(self.estimates[column]), self.replicates[:, column], level)
        low, high = (self.metric.on_scale(end) for end in (interval.low, interval.high))
        return replace(interval, low=low, high=high)

    def difference(self, cell: str, other: str, level: float = 0.95) -> PooledInterval:
        """Gain of `cell` over `other` on the same resamples; positive where `cell` is better."""
        sign = 1.0 if self.metric.greater_is_better else -1.0
        first, second = self._column(cell), self._column(other)
        return self._interval(
            sign * float(self.estimates[first] - self.estimates[second]),
            sign * (self.replicates[:, first] - self.replicates[:, second]),
            level,
        )

    def p_value(self, cell: str, other: str) -> float | None:
        """Two-sided p value of no difference, by the intervals of `difference`.

        It is 1 less the highest level at which the interval leaves zero out (Davison and Hinkley
        1997, section 4.4): p < .05 just where the 95 % interval does. B resamples tell none below
        2 / B. None where there is no interval.
        """
        if self.difference(cell, other).low is None:
            return None
        low, high = 2 / len(self.replicates), 1.0
        while high - low > PRECISION:
            middle = (low + high) / 2
            difference = self.difference(cell, other, 1 - middle)
            if (difference.low or 0.0) > 0 or (difference.high or 0.0) < 0:
                high = middle
            else:
                low = middle
        return high

    def _column(self, cell: str) -> int:
        if cell not in self.cells:
            raise KeyError(
                f"{cell!r} has no complete set of folds; complete are {list(self.cells)}"
            )
        return self.cells.index(cell)

    def _interval(self, estimate: float, replicates: Floats, level: float) -> PooledInterval:
        known = replicates[np.isfinite(replicates)]
        if self.units < FEWEST_UNITS or not len(known):
            return PooledInterval(estimate, None, None, self.units, self.grouped, level)
        tails = (1 - level) / 2, (1 + level) / 2
        of_t = scipy.special.stdtrit(self.units - 1, tails[1])
        wider = float(of_t / scipy.special.ndtri(tails[1]))
        low, high = (estimate + wider * (np.quantile(known, tail) - estimate) for tail in tails)
        return PooledInterval(estimate, float(low), float(high), self.units, self.grouped, level)


@lru_cache(maxsize=1)  # several sections ask for it
def pooled(record: RunRecord, resamples: int = RESAMPLES) -> Pooled | None:
    """Pooled score of every complete cell by the run's metric, and its resamples.

    Rows are drawn with replacement (Efron 1979); where the record has groups whole groups are (a
    cluster bootstrap: Davison and Hinkley 1997, Bootstrap Methods and their Application, section
    3.8). Where whole classes are held out these are the groups, and a class that is drawn twice
    counts as two in a mean over classes. All predictions of a row, one per repeat, go with it. ROC
    AUC is resampled through its projection on single rows (DeLong et al. 1988), the other metrics
    exactly; those without a weighted form take longer, and to them a class that is drawn twice is
    one with twice the rows. None without a complete cell.
    """
    standings = rank_cells(record).ranked()
    if not standings:
        return None
    keys = rank_cells(record).folds
    rows = np.concatenate([standings[0].folds[key].rows for key in keys])
    drawn = rows if record.groups is None else record.groups[rows]
    names, units = np.unique(drawn, return_inverse=True)
    labels = record.labels[rows]
    cells = [_Predictions(standing, keys) for standing in standings]
    parts = []
    for weights in resample_weights(len(names), resamples, record.seed):
        if record.metric in WEIGHTED or record.score is None:
            parts.append(
                resampled(record.metric, weights, units, labels, cells, record.unseen_classes)
            )
        else:
            parts.append(redrawn(record.score, weights, units, labels, cells))
    scores = np.concatenate(parts)
    return Pooled(
        ranking_metric(record),
        tuple(standing.cell.name for standing in standings),
        scores[0],
        scores[1:],
        len(names),
        record.groups is not None,
    )


@dataclass(frozen=True, eq=False)
class _Predictions:
    """One cell's predictions in the order of the folds; put together only when asked for."""

    standing: Standing
    keys: Sequence[tuple[int, int]]

    def __array__(self, dtype: object = None, copy: object = None) -> Floats:
        return np.concatenate([self.standing.folds[key].probabilities for key in self.keys])


def resample_weights(units: int, resamples: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """How often each unit is drawn: 1 + resamples rows (units,); the first draws each once.

    They come in arrays of at most AT_ONCE numbers, a row at least.
    """
    rng = np.random.default_rng(seed)
    step = max(1, AT_ONCE // max(units, 1))
    for start in range(0, 1 + resamples, step):
        weights = np.ones((min(step, 1 + resamples - start), units), dtype=np.float32)
        for row in weights[1:] if start == 0 else weights:
            drawn = rng.integers(0, units, units, dtype=np.int32)
            row[:] = np.bincount(drawn, minlength=units)
        yield weights
