"""Nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from models.arrays import Probabilities
from models.classifier import Array, Classifier, FittedModel, Whole


@dataclass(kw_only=True, eq=False, repr=False)
class NearestNeighbours(Classifier):
    """k nearest neighbours (Cover and Hart 1967) by Euclidean distance, with probabilities.

    p(c) = (k s(c) + f(c)) / (k + 1), where s are the shares of the classes among the k neighbours
    and f their frequencies in training: with one more, divided vote no class is ruled out for want
    of a neighbour.

    Parameters
    ----------
    neighbours : number of neighbours k; all training rows, where these are fewer.
    weights : distance counts a neighbour by 1 / distance, uniform counts all alike.
    """

    version: ClassVar[int] = 1
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"neighbours": (5, 15, 45)}

    neighbours: Whole = 15
    weights: Literal["distance", "uniform"] = "distance"

    def _model(self, X: Array, y: NDArray[Any]) -> FittedModel:
        from sklearn.neighbors import KNeighborsClassifier

        self.frequencies_ = np.unique(y, return_counts=True)[1] / len(y)
        model = KNeighborsClassifier(min(self.neighbours, len(y)), weights=self.weights)
        fitted: FittedModel = model.fit(X, y)
        return fitted

    def predict_proba(self, X: Array) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        shares = super().predict_proba(X)
        model: Any = self.model_  # scikit-learn's, which has no types
        if model is None:
            return shares
        count = model.n_neighbors
        return np.asarray((count * shares + self.frequencies_) / (count + 1))
