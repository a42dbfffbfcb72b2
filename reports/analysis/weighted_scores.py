"""The run's metrics of weighted predictions, for many weightings and cells together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from reports.analysis.mean_ranks import mean_ranks
from reports.record import Score

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def resampled(
    metric: str,
    weights: NDArray[np.float32],
    units: Codes,
    labels: Codes,
    cells: Sequence[object],
    units_are_classes: bool = False,
) -> Floats:
    """A metric of weighted predictions: (B, C).

    Parameters
    ----------
    metric : one of `WEIGHTED`.
    weights : (B, U), how often each unit counts.
    units : (m,), the unit of each prediction; labels (m,) its true class.
    cells : C arrays (m, K) of probabilities.
    units_are_classes : means over classes then weigh each as often as it counts.

    Raises
    ------
    KeyError
        For another metric.
    """
    sums = _Sums(
        weights,
        units,
        dict(zip(labels.tolist(), units.tolist(), strict=True)) if units_are_classes else None,
    )
    return WEIGHTED[metric](sums, labels, cells)


def redrawn(
    score: Score,
    weights: NDArray[np.float32],
    units: Codes,
    labels: Codes,
    cells: Sequence[object],
) -> Floats:
    """Any metric of predictions that are taken as often as their units: (B, C).

    As `resampled`, for metrics that have no weighted form, one resample after the other; nan where
    it has no predictions.
    """
    scores = np.full((len(weights), len(cells)), np.nan)
    for column, cell in enumerate(cells):
        probabilities = np.asarray(cell)
        for number, counts in enumerate(weights):
            drawn = np.repeat(np.arange(len(labels)), counts[units].astype(np.int64))
            if len(drawn):
                scores[number, column] = score(labels[drawn], probabilities[drawn])
    return scores


class _Sums:
    """Weighted sums over units; `unit_of` is the unit of each class where units are classes."""

    def __init__(
        self, weights: NDArray[np.float32], units: Codes, unit_of: Mapping[int, int] | None = None
    ) -> None:
        self._weights, self._units, self._unit_of = weights, units, unit_of

    def __call__(
        self, values: NDArray[np.generic], rows: NDArray[np.bool_] | None = None
    ) -> Floats:
        """Sums (B, C) of `values` (m, C) over the predictions `rows` (all, if None)."""
        units = self._units if rows is None else self._units[rows]
        summed = values if rows is None else values[rows]
        present, positions = np.unique(units, return_inverse=True)
        selector = scipy.sparse.csr_matrix(
            (np.ones(len(units), np.float32), (positions, np.arange(len(units)))),
            shape=(len(present), len(units)),  # stated: no cell may predict a class, no rows then
        )
        by_unit = np.asarray(selector @ summed.astype(np.float32))
        whole = len(present) == self._weights.shape[1]
        weights = self._weights if whole else self._weights[:, present]
        return np.asarray(weights @ by_unit, dtype=np.float64)

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
    return sums.mean(
        {
            code: _ratio(sums(hits, labels == code), sums.count(labels == code))
            for code in np.unique(labels).tolist()
        }
    )


def _log_loss(sums: _Sums, labels: Codes, cells: Sequence[object]) -> Floats:
    every = np.arange(len(labels))
    losses = [-np.log(np.maximum(np.asarray(cell)[every, labels], 1e-15)) for cell in cells]
    return _ratio(sums(np.stack(losses, axis=1)), sums.count())


def _of_counts(score: Callable[[Floats, Floats, Floats], Floats]) -> Callable[..., Floats]:
    """Macro average of `score(hits, true, predicted)` over classes that occur or are predicted."""

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
    """Projection of the area on single rows: mean placements of both sides added, less the area."""
    # (m, C, K)
    placements = np.stack([_placements(np.asarray(cell), labels) for cell in cells], axis=1)
    known = [code for code in _classes(cells) if 0 < (labels == code).sum() < len(labels)]

    def area(code: int) -> Floats:
        mine, of_class = labels == code, placements[:, :, code]
        sides = [_ratio(sums(of_class, side), sums.count(side)) for side in (mine, ~mine)]
        return np.asarray(sides[0] + sides[1] - of_class[mine].mean(axis=0))

    return (
        _mean(list(map(area, known)))
        if known
        else np.full((sums.count().shape[0], len(cells)), np.nan)
    )


def _placements(probabilities: Floats, labels: Codes) -> NDArray[np.float32]:
    """For each class: share of the other side that a row is ranked right against, (m, K).

    A tie counts half.
    """
    placements = np.zeros(probabilities.shape, dtype=np.float32)
    ranks = mean_ranks(probabilities)
    for code in range(probabilities.shape[1]):
        mine = labels == code
        positives, negatives = probabilities[mine, code], probabilities[~mine, code]
        if not len(positives) or not len(negatives):
            continue
        placements[mine, code] = (ranks[mine, code] - mean_ranks(positives)) / len(negatives)
        ordered = np.sort(positives)
        beaten = np.searchsorted(ordered, negatives, "left")
        beaten = beaten + np.searchsorted(ordered, negatives, "right")
        placements[~mine, code] = 1 - beaten / (2 * len(positives))
    return placements


# Metrics with a weighted form, by name: of these all resamples are scored in one go.
WEIGHTED: dict[str, Callable[[_Sums, Codes, Sequence[object]], Floats]] = {
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
