"""Who is right about which row: the best fusion, the picture alone and the text alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from reports.analysis.ranking import Ranking
from reports.analysis.standing import Kind, Standing
from reports.fold_record import FoldRecord
from reports.record import RunRecord

Mask = NDArray[np.bool_]
_NAMES = {"image": "picture", "text": "text", "fusion": "fusion"}


def compared_cells(ranking: Ranking) -> dict[str, Standing]:
    """The best fusion and the single modalities of its encoders (else the best ones there are)."""
    compared: dict[str, Standing] = {}
    fusion = ranking.best("fusion")
    kinds: tuple[Kind, ...] = ("image", "text")
    for kind in kinds:
        singles = ranking.ranked(kind)
        halves = [single for single in singles if fusion and _same_encoder(single, fusion, kind)]
        if singles:
            compared[_NAMES[kind]] = (halves or list(singles))[0]
    return compared | ({"fusion": fusion} if fusion else {})


def _same_encoder(single: Standing, fusion: Standing, kind: Kind) -> bool:
    return bool(getattr(single.cell, kind) == getattr(fusion.cell, kind))


def mean_probabilities(
    entries: Iterable[FoldRecord], rows: int, classes: int
) -> NDArray[np.float64]:
    """Out-of-fold probabilities (n, K), the mean over repeats; nan for rows never predicted."""
    total, times = np.zeros((rows, classes)), np.zeros(rows)
    for entry in entries:
        total[entry.rows] += entry.probabilities
        times[entry.rows] += 1
    with np.errstate(invalid="ignore"):
        return np.asarray(total / times[:, None])


class Votes:
    """What every compared cell says of every row, and whether it is right.

    Parameters
    ----------
    means : who (picture, text, fusion) -> mean probabilities (n, K) as `mean_probabilities` gives.

    Attributes
    ----------
    known : (n,), rows that all of them predicted.
    means, predicted : who -> (n, K) probabilities (0 where not known), and (n,) predicted classes.
    right, wrong : who -> (n,), among the known rows.
    """

    def __init__(self, record: RunRecord, means: dict[str, NDArray[np.float64]]) -> None:
        self.record = record
        self.known: Mask = np.all(
            [np.isfinite(probabilities).all(axis=1) for probabilities in means.values()], axis=0
        )
        self.means = {
            who: np.where(self.known[:, None], probabilities, 0.0)
            for who, probabilities in means.items()
        }
        self.predicted = {who: mean.argmax(axis=1) for who, mean in self.means.items()}
        self.right: dict[str, Mask] = {
            who: (codes == record.labels) & self.known for who, codes in self.predicted.items()
        }
        self.wrong: dict[str, Mask] = {
            who: ~right & self.known for who, right in self.right.items()
        }

    def of_true(self, who: str) -> NDArray[np.float64]:
        """Probability (n,) of the true class."""
        labels = self.record.labels
        return np.asarray(self.means[who][np.arange(len(labels)), labels])
