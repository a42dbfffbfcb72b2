"""How much of the winner's score is owed to its being picked as the winner by that score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.analysis.bootstrap import FEWEST_UNITS, pooled
from reports.record import RunRecord


@dataclass(frozen=True)
class Optimism:
    """The winner's pooled score as it is, and corrected for the choice among all cells.

    Every score of a run is nested: parameters are chosen on inner folds (Cawley and Talbot 2010).
    What is left is the choice of the best CELL by the outer folds themselves. The correction is the
    bootstrap bias corrected cross-validation of Tsamardinos, Greasidou and Borboudakis (2018,
    Machine Learning 107): in each resample the best cell is picked by the rows drawn and scored on
    the rows left out; `corrected` is the mean of these scores. It estimates how well "run the grid
    and take the winner" does.

    Parameters
    ----------
    cell : the best cell by pooled score; `cells`: how many were chosen among.
    optimistic : its pooled score.
    wins : share of resamples in which it is the best.
    """

    cell: str
    cells: int
    optimistic: float
    corrected: float
    wins: float


def optimism(record: RunRecord) -> Optimism | None:
    """None for fewer than two complete cells, or too few rows or groups to draw from."""
    scores = pooled(record)
    if scores is None or len(scores.cells) < 2 or scores.units < FEWEST_UNITS:
        return None
    sign = 1.0 if scores.greater_is_better else -1.0
    known = np.isfinite(scores.replicates).all(axis=1) & np.isfinite(scores.outside).all(axis=1)
    if not known.any():
        return None
    picked = np.argmax(sign * scores.replicates[known], axis=1)
    first = int(np.argmax(sign * scores.estimates))
    corrected = scores.outside[known][np.arange(len(picked)), picked].mean()
    return Optimism(
        scores.cells[first],
        len(scores.cells),
        float(scores.estimates[first]),
        float(corrected),
        float(np.mean(picked == first)),
    )
