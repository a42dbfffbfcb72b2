"""Fusions that combine what other models predict, and these models' predictions."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from features.block import BoolArray
from models.arrays import Probabilities
from models.fusion import Fusion


class MemberPredictions(NamedTuple):
    """What the m models that are combined, the members, predict for the same n samples.

    Parameters
    ----------
    probabilities : (m, n, K); the training class frequencies where a sample lacks the member's
        modality.
    present : bool (m, n), which samples have the member's modality.
    """

    probabilities: Probabilities
    present: BoolArray


class InnerPredictions(NamedTuple):
    """What members predict for training samples that they were not fitted on.

    Parameters
    ----------
    members : predictions for the n training samples, each by models fitted on the other inner
        folds.
    y : int (n,), the column of each sample's class.
    folds : int (n,), the inner fold that each sample was predicted in.
    """

    members: MemberPredictions
    y: NDArray[np.int64]
    folds: NDArray[np.int64]


class CombinesPredictions(Fusion):
    """A fusion of the predictions of single-modality fusions: it costs no fit of features.

    Attributes
    ----------
    combines : names of the fusions whose predictions it combines ("image_only", ...).
    weights_ : (m,) weights of the members, after `fit_combination`; None where the rule gives them
        none.
    """

    combines: ClassVar[tuple[str, ...]]
    weights_: NDArray[np.float64] | None

    @property
    def learns_combination(self) -> bool:
        """Whether `fit_combination` needs the members' predictions on inner folds."""
        return False

    @property
    def combines_all(self) -> bool:
        """Whether it combines all single-modality models of a grid's classifier.

        Otherwise it combines one of each modality.
        """
        return False

    def fit_combination(self, frequencies: Probabilities, inner: InnerPredictions | None) -> Self:
        """Learn how to combine; the classes need not be known.

        Parameters
        ----------
        frequencies : (K,) shares of the classes among the training samples.
        inner : the members' predictions on inner folds; None where there are none to learn from.
        """
        raise NotImplementedError

    def combine(self, members: MemberPredictions) -> Probabilities:
        """Probabilities (n, K) from those of the members, after `fit_combination`."""
        raise NotImplementedError
