"""Ridge classification: least squares onto the classes, in closed form, with probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from models.arrays import Probabilities
from models.classifier import (
    Array,
    ArrayFit,
    Classifier,
    ClassWeight,
    FittedModel,
    Positive,
    row_weights,
)
from models.classifiers.calibration import (
    Sigmoids,
    calibration_folds,
    fitted_sigmoids,
    softmax_of_decisions,
)
from models.classifiers.least_squares import ridge
from models.classifiers.regression import Lines, Task
from models.groups import UsesGroups


@dataclass(kw_only=True, eq=False, repr=False)
class Ridge(Classifier, UsesGroups):
    """Ridge regression onto a target for each class, 1 for its rows and -1 for others.

    Minimises sum_i w_i |t_i - W x_i - b|^2 + alpha |W|^2 (Hoerl and Kennard 1970); the scores W x +
    b are those of scikit-learn's RidgeClassifier. They are no probabilities, so a sigmoid per class
    is fitted (Platt 1999) to scores of rows held out, as LinearSVM does with its decision values:
    with 5 stratified folds of whole groups, or as many as the smallest class has rows. Where a
    class is not among the training rows of every fold, the probabilities are the softmax of the
    plain scores, which is not calibrated: it is far too even. The most probable class is therefore
    not always the one with the highest score.

    Parameters
    ----------
    alpha : strength of the regularisation.
    class_weight : balanced weighs each class's rows so that all classes count alike, in the
        sigmoids too.
    random_state : seed of the calibration folds.
    """

    version: ClassVar[int] = 1
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"alpha": (0.1, 0.3, 1.0, 3.0, 10.0)}

    alpha: Positive = 1.0
    class_weight: ClassWeight = "none"
    random_state: int = 0

    def _model(self, X: Array, y: NDArray[Any]) -> FittedModel:
        return self._fitted(X, y, self.groups_, [self.alpha])[0]

    def predict_many(
        self, fits: Iterable[ArrayFit], settings: Sequence[Mapping[str, Any]]
    ) -> list[list[Probabilities]]:
        """See Classifier.predict_many; here all strengths of a training set share its products."""
        strengths = [float(setting.get("alpha", self.alpha)) for setting in settings]
        return [self._predicted(fit, strengths) for fit in fits]

    def _predicted(self, fit: ArrayFit, strengths: Sequence[float]) -> list[Probabilities]:
        if len(np.unique(fit.y)) == 1:
            return [np.ones((fit.test.shape[0], 1)) for _ in strengths]
        return [
            model.predict_proba(fit.test)
            for model in self._fitted(fit.train, fit.y, fit.groups, strengths)
        ]

    def _fitted(
        self, X: Array, y: NDArray[Any], groups: NDArray[Any] | None, strengths: Sequence[float]
    ) -> list[_Calibrated]:
        classes, codes = np.unique(y, return_inverse=True)
        positive = codes[:, None] == (
            np.arange(len(classes)) if len(classes) > 2 else np.array([1])
        )
        given = row_weights(y, self.class_weight)
        weights = np.ones(len(codes)) if given is None else given
        held_out = [rows for _, rows in calibration_folds(codes, self.random_state, groups)]
        return [
            _Calibrated(
                lines, None if scores is None else fitted_sigmoids(scores, positive, weights)
            )
            for lines, scores in ridge(
                Task(X, np.where(positive, 1.0, -1.0), weights), strengths, held_out
            )
        ]


@dataclass(frozen=True, eq=False)
class _Calibrated:
    """Scores and what makes them probabilities: a fitted model as Classifier asks for it."""

    lines: Lines
    sigmoids: Sigmoids | None

    def predict_proba(self, X: Array) -> Probabilities:
        scores = self.lines.scores(X)
        if self.sigmoids is not None:
            return self.sigmoids.probabilities(scores)
        return softmax_of_decisions(scores if scores.shape[1] > 1 else scores[:, 0])
