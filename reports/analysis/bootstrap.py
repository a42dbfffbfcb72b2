"""Bootstrap intervals of pooled out-of-fold scores and of their differences, for all cells together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from reports.analysis.mean_ranks import mean_ranks
from reports.analysis.ranking import Standing, rank_cells, ranking_metric
from reports.record import RunRecord

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
RESAMPLES = 1000
FEWEST_UNITS = 10  # fewer rows or groups say too little about those that were not drawn


@dataclass(frozen=True)
class PooledInterval:
    """A score of the pooled out-of-fold predictions, or a difference of two, with its percentile interval.

    It is conditional on the fitted models: it shows how much the score would vary over other test
    rows (or groups), not over other training rows.

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
    estimates : (C,); `replicates` : (B, C); `outside` : (B, C), scores of the units that a resample
        left out.
    greater_is_better : of the metric, for the sign of differences.
    """

    metric: str
    cells: tuple[str, ...]
    estimates: Floats
    replicates: Floats
    outside: Floats
    units: int
    grouped: bool
    greater_is_better: bool

    def score(self, cell: str, level: float = 0.95) -> PooledInterval:
        """Score of a cell. Raises KeyError for a cell that is not complete."""
        place = self._place(cell)
        return self._interval(float(self.estimates[place]), self.replicates[:, place], level)

    def difference(self, cell: str, other: str, level: float = 0.95) -> PooledInterval:
        """Gain of `cell` over `other` on the same resamples; positive where `cell` is better."""
        sign = 1.0 if self.greater_is_better else -1.0
        one, two = self._place(cell), self._place(other)
        return self._interval(sign * float(self.estimates[one] - self.estimates[two]),
                              sign * (self.replicates[:, one] - self.replicates[:, two]), level)

    def _place(self, cell: str) -> int:
        if cell not in self.cells:
            raise KeyError(
                f"{cell!r} has no complete set of folds; complete are {list(self.cells)}"
            )
        return self.cells.index(cell)

    def _interval(self, estimate: float, replicates: Floats, level: float) -> PooledInterval:
        known = replicates[np.isfinite(replicates)]
        if self.units < FEWEST_UNITS or not len(known):
            return PooledInterval(estimate, None, None, self.units, self.grouped, level)
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return PooledInterval(estimate, float(low), float(high), self.units, self.grouped, level)


@lru_cache(maxsize=1)  # several sections ask for it
def pooled(record: RunRecord, resamples: int = RESAMPLES) -> Pooled | None:
    """Pooled score of every complete cell by the run's metric, and its resamples; None without such a cell.

    Rows are drawn with replacement (Efron 1979); where the record has groups whole groups are (a
    cluster bootstrap: Davison and Hinkley 1997, Bootstrap Methods and their Application, section
    3.8). Where whole classes are held out these are the groups, and a class that is drawn twice
    counts as two in a mean over classes. All predictions of a row, one per repeat, go with it. ROC
    AUC is resampled through its projection on single rows (DeLong et al. 1988), the other metrics
    exactly.
    """
    standings = rank_cells(record).ranked()
    if not standings:
        return None
    keys = sorted(standings[0].folds)
    rows = np.concatenate([standings[0].folds[key].rows for key in keys])
    drawn = rows if record.groups is None else record.groups[rows]
    names, units = np.unique(drawn, return_inverse=True)
    weights = _weights(len(names), resamples, record.seed)
    left_out = (weights[1:] == 0).astype(np.float32)
    metric = ranking_metric(record)
    found = resampled(
        record.metric,
        np.concatenate([weights, left_out]),
        units,
        record.labels[rows],
        [_Predictions(standing, keys) for standing in standings],
        record.unseen_classes,
    )
    return Pooled(
        record.metric,
        tuple(s.cell.name for s in standings),
        found[0],
        found[1 : resamples + 1],
        found[resamples + 1 :],
        len(names),
        record.groups is not None,
        metric.greater_is_better,
    )


@dataclass(frozen=True, eq=False)
class _Predictions:
    """One cell's predictions in the order of the folds; put together only when asked for."""

    standing: Standing
    keys: Sequence[tuple[int, int]]

    def __array__(self, dtype: object = None, copy: object = None) -> Floats:
        return np.concatenate([self.standing.folds[key].probabilities for key in self.keys])


def _weights(units: int, resamples: int, seed: int) -> NDArray[np.float32]:
    """How often each unit is drawn (1 + resamples, units); the first row draws each once."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, units, (resamples, units), dtype=np.int32)
    counts = [np.bincount(row, minlength=units) for row in drawn]
    return np.stack([np.ones(units), *counts]).astype(np.float32)


def resampled(
    metric: str, weights: NDArray[np.float32], units: Codes, labels: Codes, cells: Sequence[object],
    units_are_classes: bool = False,
) -> Floats:
    """A metric of weighted predictions: (B, C).

    Parameters
    ----------
    metric : name of one of the run's metrics.
    weights : (B, U), how often each unit counts.
    units : (m,), the unit of each prediction; labels (m,) its true class.
    cells : C arrays (m, K) of probabilities.
    units_are_classes : means over classes then weigh each as often as it counts.

    Raises
    ------
    KeyError
        For an unknown metric.
    """
    sums = _Sums(
        weights,
        units,
        dict(zip(labels.tolist(), units.tolist(), strict=True)) if units_are_classes else None,
    )
    return _SCORES[metric](sums, labels, cells)


class _Sums:
    """Weighted sums over units; `unit_of` is the unit of each class where units are classes."""

    def __init__(
        self, weights: NDArray[np.float32], units: Codes, unit_of: Mapping[int, int] | None = None
    ) -> None:
        self._weights, self._units, self._unit_of = weights, units, unit_of

    def __call__(
        self, values: NDArray[np.generic], rows: NDArray[np.bool_] | None = None
    ) -> Floats:
        """Sums (B, C) of `values` (m, C) over the predictions `rows` (all, if None), units weighted."""
        units = self._units if rows is None else self._units[rows]
        kept = values if rows is None else values[rows]
        there, places = np.unique(units, return_inverse=True)
        selector = sparse.csr_matrix(
            (np.ones(len(units), np.float32), (places, np.arange(len(units))))
        )
        by_unit = (
            np.asarray(selector @ kept.astype(np.float32))
            if len(units)
            else np.zeros((0, kept.shape[1]))
        )
        chosen = self._weights if len(there) == self._weights.shape[1] else self._weights[:, there]
        return np.asarray(chosen @ by_unit, dtype=np.float64)

    def mean(self, by_class: Mapping[int, Floats]) -> Floats:
        """Mean over classes of (B, C) arrays, undefined entries (nan) left out."""
        if self._unit_of is None:
            return _mean(list(by_class.values()))
        known = {code: self._unit_of[code] for code in by_class if code in self._unit_of}
        return _mean(
            [by_class[code] for code in known], self._weights.T[list(known.values())][:, :, None]
        )

    def count(self, rows: NDArray[np.bool_] | None = None) -> Floats:
        """Weighted number (B, 1) of predictions."""
        return self(np.ones((len(self._units), 1)), rows)


def _predicted(cells: Sequence[object]) -> Codes:
    """Most probable class of each prediction, (m, C)."""
    return np.stack([np.asarray(cell).argmax(axis=1) for cell in cells], axis=1)


def _classes(cells: Sequence[object]) -> range:
    return range(np.asarray(cells[0]).shape[1])


def _mean(values: Sequence[Floats], shares: NDArray[np.float32] | float = 1.0) -> Floats:
    """Mean of arrays (B, C), each with its `shares`, undefined entries (nan) left out."""
    stacked = np.stack(values)
    known = np.isfinite(stacked) * shares
    counts = known.sum(axis=0)
    sums = (np.nan_to_num(stacked, posinf=0.0, neginf=0.0) * known).sum(axis=0)
    return np.asarray(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))


def _ratio(parts: Floats, wholes: Floats) -> Floats:
    """Shares, nan where a whole is 0."""
    wholes = np.broadcast_to(wholes, parts.shape)
    return np.asarray(np.divide(parts, wholes, out=np.full(parts.shape, np.nan), where=wholes > 0))


def _accuracy(sums: _Sums, labels: Codes, cells: Sequence[object]) -> Floats:
    return _ratio(sums(_predicted(cells) == labels[:, None]), sums.count())


def _balanced_accuracy(sums: _Sums, labels: Codes, cells: Sequence[object]) -> Floats:
    hits = _predicted(cells) == labels[:, None]
    return sums.mean({code: _ratio(sums(hits, labels == code), sums.count(labels == code))
                      for code in np.unique(labels).tolist()})


def _log_loss(sums: _Sums, labels: Codes, cells: Sequence[object]) -> Floats:
    every = np.arange(len(labels))
    losses = [-np.log(np.maximum(np.asarray(cell)[every, labels], 1e-15)) for cell in cells]
    return _ratio(sums(np.stack(losses, axis=1)), sums.count())


def _of_counts(score: Callable[[Floats, Floats, Floats], Floats]) -> Callable[..., Floats]:
    """A macro average of `score(hits, true, predicted)`, over classes that occur or are predicted."""
    def averaged(sums: _Sums, labels: Codes, cells: Sequence[object]) -> Floats:
        codes = _predicted(cells)
        return sums.mean(
            {code: _class_score(code, codes, labels, sums, score) for code in _classes(cells)}
        )
    return averaged


def _class_score(
    code: int,
    codes: Codes,
    labels: Codes,
    sums: _Sums,
    score: Callable[[Floats, Floats, Floats], Floats],
) -> Floats:
    chosen = codes == code
    mine = labels == code
    predicted, hits = sums(chosen, chosen.any(axis=1)), sums(chosen, mine)
    true = np.broadcast_to(sums.count(mine), hits.shape)
    return np.where(true + predicted > 0, score(hits, true, predicted), np.nan)


def _roc_auc(sums: _Sums, labels: Codes, cells: Sequence[object]) -> Floats:
    """Projection of the area on single rows: mean placement of positives + mean of negatives - area."""
    # (m, C, K)
    placements = np.stack([_placements(np.asarray(cell), labels) for cell in cells], axis=1)
    known = [code for code in _classes(cells) if 0 < (labels == code).sum() < len(labels)]

    def area(code: int) -> Floats:
        mine, own = labels == code, placements[:, :, code]
        sides = [_ratio(sums(own, side), sums.count(side)) for side in (mine, ~mine)]
        return np.asarray(sides[0] + sides[1] - own[mine].mean(axis=0))

    return (
        _mean(list(map(area, known)))
        if known
        else np.full((sums.count().shape[0], len(cells)), np.nan)
    )


def _placements(probabilities: Floats, labels: Codes) -> NDArray[np.float32]:
    """For each class: share of the other side that a row is ranked right against, ties half (m, K)."""
    found = np.zeros(probabilities.shape, dtype=np.float32)
    ranks = mean_ranks(probabilities)
    for code in range(probabilities.shape[1]):
        mine = labels == code
        own, others = probabilities[mine, code], probabilities[~mine, code]
        if len(own) and len(others):
            found[mine, code] = (ranks[mine, code] - mean_ranks(own)) / len(others)
            own = np.sort(own)
            beaten = np.searchsorted(own, others, "left") + np.searchsorted(own, others, "right")
            found[~mine, code] = 1 - beaten / (2 * len(own))
    return found


_SCORES: dict[str, Callable[[_Sums, Codes, Sequence[object]], Floats]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "precision_macro": _of_counts(lambda hits, true, predicted: hits / np.maximum(predicted, 1)),
    "recall_macro": _of_counts(lambda hits, true, predicted: hits / np.maximum(true, 1)),
    "f1_macro": _of_counts(
        lambda hits, true, predicted: 2 * hits / np.maximum(true + predicted, 1)
    ),
    "log_loss": _log_loss,
    "roc_auc": _roc_auc,
}
