"""Whether probabilities mean what they say, before and after temperature scaling."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from reports.analysis.ranking import rank_cells
from reports.analysis.standing import Kind, Standing
from reports.record import RunRecord

Probabilities = NDArray[np.float64]
BINS = 15
LEAST = 1e-12
CELLS = 6


@dataclass(frozen=True)
class ReliabilityPoint:
    """Predictions of a bin: their mean confidence, the share that is right, their share of all."""

    confidence: float
    accuracy: float
    share: float


@dataclass(frozen=True)
class Reliability:
    """How well pooled out-of-fold probabilities are calibrated.

    Parameters
    ----------
    ece : expected calibration error over BINS equal bins of the highest probability,
        sum_b n_b / n |accuracy_b - confidence_b| (Naeini et al. 2015; Guo et al. 2017).
    brier : mean over predictions of sum_k (p_k - [y = k])^2, 0 to 2 (Brier 1950).
    log_loss : mean of -log p_y, in nats.
    points : the bins that are not empty.
    """

    ece: float
    brier: float
    log_loss: float
    points: tuple[ReliabilityPoint, ...]


@dataclass(frozen=True)
class Calibration:
    """A cell's calibration as it is, and with each fold's probabilities scaled by its temperature.

    Temperatures are learned inside the training rows, from the chosen setting's predictions on the
    inner folds: no test row has a part in them. `scaled` and `temperature` (the median over folds)
    are None where a cell has no inner folds to learn one from.
    """

    cell: str
    kind: Kind
    plain: Reliability
    scaled: Reliability | None
    temperature: float | None


def calibration(record: RunRecord) -> tuple[Calibration, ...]:
    """Calibration of the best cell of each modality and each fusion, at most CELLS, best first."""
    best: dict[str, Standing] = {}
    for standing in rank_cells(record).ranked("image", "text", "fusion"):
        best.setdefault(standing.cell.fusion, standing)
    return tuple(_calibration(standing, record.labels) for standing in list(best.values())[:CELLS])


def _calibration(standing: Standing, labels: NDArray[np.int64]) -> Calibration:
    entries = list(standing.folds.values())
    true = np.concatenate([labels[entry.rows] for entry in entries])
    plain = reliability(np.concatenate([entry.probabilities for entry in entries]), true)
    temperatures = [entry.temperature for entry in entries if entry.temperature is not None]
    if len(temperatures) < len(entries):
        return Calibration(standing.cell.name, standing.kind, plain, None, None)
    scaled = [
        tempered(entry.probabilities, temperature)
        for entry, temperature in zip(entries, temperatures, strict=True)
    ]
    return Calibration(
        standing.cell.name,
        standing.kind,
        plain,
        reliability(np.concatenate(scaled), true),
        median(temperatures),
    )


def reliability(
    probabilities: Probabilities, labels: NDArray[np.int64], bins: int = BINS
) -> Reliability:
    """Calibration of probabilities (n, K) for true classes (n,). Raises ValueError without any."""
    if not len(labels):
        raise ValueError("calibration needs one prediction at least")
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    sums = [np.bincount(bin_of, weights=values, minlength=bins) for values in (confidence, right)]
    points = tuple(
        ReliabilityPoint(
            float(sums[0][number] / counts[number]),
            float(sums[1][number] / counts[number]),
            float(counts[number] / len(labels)),
        )
        for number in np.flatnonzero(counts)
    )
    chosen = probabilities[np.arange(len(labels)), labels]
    return Reliability(
        ece=sum(point.share * abs(point.accuracy - point.confidence) for point in points),
        brier=float(np.mean(np.square(probabilities).sum(axis=1) - 2 * chosen + 1)),
        log_loss=float(-np.mean(np.log(np.maximum(chosen, 1e-15)))),
        points=points,
    )


def tempered(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Softmax of log p / temperature, (n, K).

    As models.classifiers.temperature has it: reports import no models.
    """
    from scipy.special import softmax

    return np.asarray(softmax(np.log(np.maximum(probabilities, LEAST)) / temperature, axis=1))
