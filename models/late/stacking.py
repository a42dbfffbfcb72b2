"""Stacking: logistic regression on the logarithms of the parts' probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.combining import Inner, Parts
from models.fusion import Probabilities
from models.late.rules import LEAST
from models.softmax.problem import Problem, Solution
from models.softmax.solve import solve

LEAST_STACKED = 1e-6  # log(p) is bounded, or a single sure mistake would decide the meta-classifier
STRENGTHS = (0.001, 0.01, 0.1, 1.0)


@dataclass(frozen=True, eq=False)
class Stacker:
    """Multinomial logistic regression on the logarithms of the parts' probabilities (Wolpert 1992).

    p(k) is proportional to exp(b_k + sum_m sum_j W_kmj log p_m(j)), so the product rule is one of
    its cases. The strength of the L2 penalty is the one with the least log loss when each inner
    fold is predicted from the others.
    """

    solution: Solution

    @classmethod
    def fit(cls, inner: Inner) -> Self | None:
        """Learn from samples that every part knows; None where these show fewer than two classes."""
        if len(np.unique(inner.y)) < 2:
            return None
        rows = np.arange(len(inner.y))
        inputs = _logarithms(inner.parts)
        return cls(solve(inputs, inner.y, [Problem(rows, _strength(inputs, inner))])[0])

    def probabilities(self, parts: Parts) -> Probabilities:
        """Probabilities (n, K) for samples that every part knows."""
        _, n, classes = parts.probabilities.shape
        return self.solution.probabilities(_logarithms(parts), np.arange(n), classes)


def _logarithms(parts: Parts) -> NDArray[np.float32]:
    """Inputs (n, m K) of the meta-classifier."""
    logs = np.log(np.maximum(parts.probabilities, LEAST_STACKED))
    return np.concatenate(list(logs), axis=1).astype(np.float32)


def _strength(inputs: NDArray[np.float32], inner: Inner) -> float:
    """The C that predicts inner folds best from the others (of equals, the strongest penalty)."""
    losses = np.zeros(len(STRENGTHS))
    for fold in np.unique(inner.folds):
        train, test = np.flatnonzero(inner.folds != fold), np.flatnonzero(inner.folds == fold)
        if len(np.unique(inner.y[train])) < 2:
            continue
        found = solve(inputs, inner.y, [Problem(train, C) for C in STRENGTHS])
        for position, solution in enumerate(found):
            given = solution.probabilities(inputs, test, inner.parts.probabilities.shape[2])
            losses[position] -= np.log(
                np.maximum(given[np.arange(len(test)), inner.y[test]], LEAST)
            ).sum()
    return STRENGTHS[int(np.argmin(losses))]
