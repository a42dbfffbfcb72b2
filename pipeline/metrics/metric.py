"""What a metric is: a score of class probabilities against the true classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.data.rows import Labels

Probabilities: TypeAlias = NDArray[np.float64]  # (n, K), rows summing to 1


@dataclass(frozen=True)
class Metric:
    """A score of out-of-fold predictions.

    Parameters
    ----------
    function : (labels (n,) codes 0..K-1, probabilities (n, K)) -> float, nan where it is not
        defined.
    greater_is_better : False for losses.
    unit : "share" of 1, or "nats".
    rope : half the region of practical equivalence: differences of at most this size do not matter,
        unless the grid says otherwise (Benavoli et al. 2017 take 1 % of accuracy).
    version : raised whenever the function changes, for it may choose parameters.
    """

    function: Callable[[Labels, Probabilities], float]
    greater_is_better: bool = True
    unit: Literal["share", "nats"] = "share"
    rope: float = 0.01
    version: int = 1

    def __call__(self, labels: Labels, probabilities: Probabilities) -> float:
        """The score."""
        return float(self.function(labels, probabilities))
