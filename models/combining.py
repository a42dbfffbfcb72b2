"""What fusions combine: their parts' predictions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.block import BoolArray

Probabilities = NDArray[np.float64]


class Parts(NamedTuple):
    """What the m parts of a combination predict for the same n samples.

    Parameters
    ----------
    probabilities : (m, n, K); the training class frequencies where a sample lacks the part's
        modality.
    present : bool (m, n), which samples have the part's modality.
    """

    probabilities: Probabilities
    present: BoolArray


class Inner(NamedTuple):
    """What a combination learns from: its parts' predictions for training samples they were not fitted on.

    Parameters
    ----------
    parts : predictions for the n training samples, each by models fitted on the other inner folds.
    y : int (n,), the column of each sample's class.
    folds : int (n,), the inner fold that each sample was predicted in.
    """

    parts: Parts
    y: NDArray[np.int64]
    folds: NDArray[np.int64]
