"""Sets of classes that hold the true one as often as is asked for: split conformal prediction.

A set holds the most probable class, and every other whose probability is at least 1 - q, where q is
the level's quantile of 1 - p(true class) among rows that the model did not learn from (Vovk et al.
2005; Sadinle et al. 2019, least ambiguous sets). For items like these, coverage is at least what is
asked for on average over training sets; on the rows at hand it is measured fold by fold, without
the most probable class of otherwise empty sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.metric import Probabilities


@dataclass(frozen=True, eq=False)
class LeftOut:
    """How far the true class was from certain, for n rows, each predicted by a fold without it.

    Parameters
    ----------
    scores : (n,), 1 - p(true class).
    folds : (n,), the inner fold that left the row out.
    """

    scores: NDArray[np.float64]
    folds: NDArray[np.int64]

    def threshold(self, coverage: float) -> float:
        """The least probability of a class that belongs into a set."""
        return 1.0 - _quantile(self.scores, coverage)

    def measured(self, coverage: float) -> float:
        """The share of rows whose set holds the true class, each fold by the others' quantile."""
        inside = [
            self.scores[self.folds == fold] <= _quantile(self.scores[self.folds != fold], coverage)
            for fold in np.unique(self.folds)
        ]
        return float(np.concatenate(inside).mean())


def sets(probabilities: Probabilities, threshold: float) -> NDArray[np.bool_]:
    """Which classes (n, K) belong into each item's set: the most probable one in any case."""
    inside = np.asarray(probabilities >= threshold)
    inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
    return inside


def _quantile(scores: NDArray[np.float64], coverage: float) -> float:
    """The ceil((n + 1) coverage)-th smallest score; 1, and so every class, where n is too few."""
    rank = int(np.ceil((len(scores) + 1) * coverage))
    return 1.0 if rank > len(scores) else float(np.sort(scores)[rank - 1])
