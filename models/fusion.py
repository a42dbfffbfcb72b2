"""The fusion contract: a scikit-learn estimator over Views, and how many settings are tried at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from features.encoder import BoolArray, Form, Modality
from models.views import Views

Probabilities = NDArray[np.float64]
Labels = NDArray[Any]


class Fit(NamedTuple):
    """One training set and the samples to predict from it."""

    train: Views
    y: Labels
    test: Views


class Fusion(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifies samples by picture, text or both. Subclass it, and register the class in `models`.

    The constructor only stores its typed parameters. A fusion that takes a classifier has a parameter
    `classifier`. Samples may lack a modality (see Block.present); the class documents what it does then.

    Attributes
    ----------
    version : raised whenever predictions change for the same parameters and features.
    needs : the modalities it uses and the form of each: "pooled" vectors or a "sequence".
    takes_classifier : whether the grid's classifiers apply to it.
    tuned : parameters chosen on inner folds, each with its default candidates.
    combines : names of single-modality fusions whose predictions it combines ("image_only", ...);
        such a fusion costs no fit of its own features and implements `combine`.
    classes_ : (K,) sorted class labels, after `fit`.
    """

    version: ClassVar[int]
    needs: ClassVar[dict[Modality, Form]]
    takes_classifier: ClassVar[bool] = True
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {}
    combines: ClassVar[tuple[str, ...]] = ()
    classes_: NDArray[Any]

    def fit(self, views: Views, y: Labels) -> Self:
        """Learn from n training samples with labels (n,)."""
        raise NotImplementedError

    def predict_proba(self, views: Views) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        raise NotImplementedError

    def predict(self, views: Views) -> NDArray[Any]:
        """Most probable class of each sample (n,)."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(views), axis=1)])

    def predict_many(
        self, fits: Sequence[Fit], settings: Sequence[Mapping[str, Any]]
    ) -> list[list[Probabilities]]:
        """Probabilities of every fit's test samples under every setting: result[fit][setting].

        This plain form fits a clone for each. An estimator that solves many training sets or settings
        together overrides it; the result must be the same.
        """
        return [[self.with_setting(setting).fit(fit.train, fit.y).predict_proba(fit.test)
                 for setting in settings] for fit in fits]

    def combine(
        self, probabilities: Mapping[Modality, Probabilities], present: Mapping[Modality, BoolArray]
    ) -> Probabilities:
        """Probabilities (n, K) from those that single modalities gave for the same n samples.

        Only for fusions with `combines`; the classes need not be known.

        Parameters
        ----------
        probabilities : (n, K) of each modality; the training class frequencies where a sample lacks it.
        present : bool (n,) for each modality, which samples have it.
        """
        raise NotImplementedError

    def with_setting(self, setting: Mapping[str, Any]) -> Self:
        """Unfitted copy with some parameters set."""
        estimator: Self = clone(self)
        estimator.set_params(**setting)
        return estimator
