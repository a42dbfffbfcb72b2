"""Fusions that know predictions for their training samples by models that have not seen them."""

from __future__ import annotations

from typing import ClassVar

from models.arrays import Probabilities
from models.fusion import Fusion


class CrossFitted(Fusion):
    """A fusion whose parts are fitted on folds of the training samples (cross-fitting).

    What it learned on the other folds has predicted each fold, so that cells can be chosen by
    these predictions, and calibrated, without being fitted again on inner folds. The fold has
    stopped the training of what predicts it, as inner folds choose the settings of others.

    Attributes
    ----------
    out_of_fold_ : (n, K) probabilities of the training samples, columns in the order of
        `classes_`; the frequencies of the classes where there are too few samples for folds.
    """

    not_bundled: ClassVar[frozenset[str]] = frozenset({"out_of_fold_"})

    out_of_fold_: Probabilities
