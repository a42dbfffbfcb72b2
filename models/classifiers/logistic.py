"""Logistic regression: all strengths and folds solved together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models.arrays import Probabilities
from models.classifier import (
    Array,
    ArrayFit,
    ClassWeight,
    FittedModel,
    Positive,
    SolvesJointly,
    row_weights,
)
from models.softmax.blocks import Strengths, predicted, scaled_coefficients, solve_blocks
from models.softmax.device import Device
from models.softmax.problem import Problem, Solution
from models.softmax.solve import solve
from models.views import BlocksFit


@dataclass(eq=False, repr=False)
class Logistic(SolvesJointly):
    """Multinomial logistic regression: minimises C sum_i loss_i + |W|^2 / 2; the intercept is free.

    The solution is that of scikit-learn's LogisticRegression; models.softmax.solve finds it for all
    strengths of one training set together.

    Parameters
    ----------
    C : inverse strength of the regularisation.
    class_weight : balanced weighs each class's rows so that all classes count alike.
    device : "cuda" solves large dense training sets on a GPU, to other last bits.
    """

    version: ClassVar[int] = 13
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"C": (3.0, 10.0, 30.0)}

    C: Positive = 10.0
    class_weight: ClassWeight = "none"
    device: Device = "cpu"

    @property
    def requires(self) -> tuple[str, ...]:
        """See Estimator.requires."""
        return ("torch",) if self.device == "cuda" else ()

    def _model(self, X: Array, y: NDArray[Any]) -> FittedModel:
        return _Softmax(self._solved(X, y, [self.C])[0], len(self.classes_))

    def predict_many(
        self, fits: Iterable[ArrayFit], settings: Sequence[Mapping[str, Any]]
    ) -> list[list[Probabilities]]:
        """See Classifier.predict_many; here all strengths of a training set are solved together."""
        strengths = [float(setting.get("C", self.C)) for setting in settings]
        return [self._predicted(fit, strengths) for fit in fits]

    def _predicted(self, fit: ArrayFit, strengths: Sequence[float]) -> list[Probabilities]:
        classes = len(np.unique(fit.y))
        if classes == 1:
            return [np.ones((fit.test.shape[0], 1)) for _ in strengths]
        solutions = self._solved(fit.train, fit.y, strengths)
        return [_Softmax(solution, classes).predict_proba(fit.test) for solution in solutions]

    def predict_jointly(
        self, fits: Sequence[BlocksFit], settings: Sequence[Sequence[Mapping[str, Any]]]
    ) -> list[list[Probabilities]]:
        """See SolvesJointly.predict_jointly; here all strengths are solved together too."""
        strengths = [
            Strengths(
                [float(setting.get("C", self.C)) for setting in of_fit],
                row_weights(fit.y, self.class_weight),
            )
            for fit, of_fit in zip(fits, settings, strict=True)
        ]
        return [
            predicted(fit, solutions)
            for fit, solutions in zip(fits, solve_blocks(fits, strengths, self.device), strict=True)
        ]

    def fit_jointly(self, fit: BlocksFit) -> Self:
        """See SolvesJointly.fit_jointly."""
        self.classes_ = np.unique(fit.y)
        self.widths_ = tuple(scaled.block.width for scaled in fit.train)
        self.n_features_in_ = sum(self.widths_)
        solution = solve_blocks(
            [fit], [Strengths([self.C], row_weights(fit.y, self.class_weight))], self.device
        )[0][0]
        self.model_ = _Softmax(scaled_coefficients(fit, solution), len(self.classes_))
        return self

    def _solved(self, X: Array, y: NDArray[Any], strengths: Sequence[float]) -> list[Solution]:
        codes, weights = np.unique(y, return_inverse=True)[1], row_weights(y, self.class_weight)
        rows = np.arange(len(codes))
        problems = [Problem(rows, C, weights=weights) for C in strengths]
        return solve(X, codes, problems, device=self.device)


@dataclass(frozen=True, eq=False)
class _Softmax:
    """A solved softmax regression, with the method that Classifier asks of a fitted model."""

    solution: Solution
    classes: int

    def predict_proba(self, X: Array) -> Probabilities:
        return self.solution.probabilities(X, np.arange(X.shape[0]), self.classes)
