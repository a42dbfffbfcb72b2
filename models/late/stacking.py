"""Stacking: logistic regression on the logarithms of the members' probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.arrays import Probabilities
from models.combining import InnerPredictions, MemberPredictions
from models.late.rules import LEAST
from models.softmax.problem import Problem, Solution
from models.softmax.solve import solve

LEAST_STACKED = 1e-6  # log(p) is bounded, or a single sure mistake would decide the meta-classifier
STRENGTHS = (0.001, 0.01, 0.1, 1.0)


@dataclass(frozen=True, eq=False)
class Stacker:
    """Multinomial logistic regression on log probabilities of the members (Wolpert 1992).

    p(k) is proportional to exp(b_k + sum_m sum_j W_kmj log p_m(j)), so the product rule is one of
    its cases. The strength of the L2 penalty is the one with the least log loss when each inner
    fold is predicted from the others.
    """

    solution: Solution

    @classmethod
    def fit(cls, inner: InnerPredictions) -> Self | None:
        """Learn from samples that every member knows; None where these show no two classes."""
        if len(np.unique(inner.y)) < 2:
            return None
        rows = np.arange(len(inner.y))
        inputs = _logarithms(inner.members)
        return cls(solve(inputs, inner.y, [Problem(rows, _strength(inputs, inner))])[0])

    def probabilities(self, members: MemberPredictions) -> Probabilities:
        """Probabilities (n, K) for samples that every member knows."""
        _, n, classes = members.probabilities.shape
        return self.solution.probabilities(_logarithms(members), np.arange(n), classes)


def _logarithms(members: MemberPredictions) -> NDArray[np.float32]:
    """Inputs (n, m K) of the meta-classifier."""
    logs = np.log(np.maximum(members.probabilities, LEAST_STACKED))
    return np.concatenate(list(logs), axis=1).astype(np.float32)


def _strength(inputs: NDArray[np.float32], inner: InnerPredictions) -> float:
    """The C that predicts inner folds best from the others (of equals, the strongest penalty)."""
    losses, classes = np.zeros(len(STRENGTHS)), inner.members.probabilities.shape[2]
    for fold in np.unique(inner.folds):
        train, test = np.flatnonzero(inner.folds != fold), np.flatnonzero(inner.folds == fold)
        if len(np.unique(inner.y[train])) < 2:
            continue
        solutions = solve(inputs, inner.y, [Problem(train, C) for C in STRENGTHS])
        for position, solution in enumerate(solutions):
            predicted = solution.probabilities(inputs, test, classes)
            of_true = predicted[np.arange(len(test)), inner.y[test]]
            losses[position] -= np.log(np.maximum(of_true, LEAST)).sum()
    return STRENGTHS[int(np.argmin(losses))]
