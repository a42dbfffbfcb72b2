"""Probabilities from decision values: a sigmoid for each class, fitted to held-out rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from models.arrays import Rows
from models.preparation.inner_folds import stratified_folds

Decisions = NDArray[np.float64]

FOLDS = 5  # that give the decision values which the sigmoids are fitted to
MOST_STEPS = 100
# of scores, which come from features in single precision: what varies no more is constant
ROUNDING = 1e-7
FLAT = 1e-9  # gradient of the mean loss at which a sigmoid's fit ends


def calibration_folds(
    y: NDArray[Any], random_state: int, groups: NDArray[Any] | None
) -> list[tuple[Rows, Rows]]:
    """(train, held out) rows of 5 stratified folds of whole groups.

    Of as many as the smallest class has rows, where these are fewer. None where a class is not
    among the training rows of every fold.
    """
    classes, counts = np.unique(y, return_counts=True)
    folds = stratified_folds(y, min(FOLDS, int(counts.min())), random_state, groups)
    return folds if all(len(np.unique(y[train])) == len(classes) for train, _ in folds) else []


def softmax_of_decisions(decisions: Decisions) -> Decisions:
    """Probabilities (n, K) of decisions (n, K), or (n,) for two classes, that are not calibrated.

    For where there are too few rows to calibrate them.
    """
    # With two classes there is one decision value d; (-d, d) / 2 makes their difference d again.
    both = decisions if decisions.ndim == 2 else np.column_stack([-decisions, decisions]) / 2
    return np.asarray(scipy.special.softmax(both, axis=1))


@dataclass(frozen=True, eq=False)
class Sigmoids:
    """p_k = 1 / (1 + exp(-(slope_k s_k + offset_k))) over their sum, of scores s.

    Slope and offset are (K,). With two classes there is one score, and one sigmoid gives the second
    class's probability.
    """

    slope: Decisions
    offset: Decisions

    def probabilities(self, scores: Decisions) -> Decisions:
        """Probabilities (n, K) of scores (n, K), or (n, 1) for two classes."""
        sigmoids = scipy.special.expit(self.slope * scores + self.offset)
        classes = sigmoids.shape[1]
        if classes == 1:
            return np.hstack([1 - sigmoids, sigmoids])
        whole = sigmoids.sum(axis=1, keepdims=True)
        shares = sigmoids / np.where(whole > 0, whole, 1)
        return np.asarray(np.where(whole > 0, shares, 1 / classes))


def fitted_sigmoids(
    scores: Decisions, positive: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Sigmoids:
    """Sigmoids by maximum likelihood with Platt's targets (Platt 1999).

    By Newton's method (Lin et al. 2007).

    Parameters
    ----------
    scores : (n, K) of rows that the scores' models were not fitted on.
    positive : bool (n, K), whether the row is of the class.
    weights : (n,) of the rows' losses.
    """
    centre, spread = scores.mean(axis=0), scores.std(axis=0)
    spread = np.where(spread > ROUNDING * np.abs(scores).max(axis=0), spread, 1)
    of_class, of_others = weights @ positive, weights @ ~positive
    targets = np.where(positive, (of_class + 1) / (of_class + 2), 1 / (of_others + 2))
    loss = _Loss((scores - centre) / spread, targets, (weights / weights.sum())[:, None])
    lines = np.array([np.zeros(len(centre)), np.log((of_class + 1) / (of_others + 1))])
    for _ in range(MOST_STEPS):
        gradient, step = loss.newton(lines)
        if np.abs(gradient).max() < FLAT:
            break
        lines, before = _moved(loss, lines, gradient, step), lines
        if np.array_equal(lines, before):  # rounding leaves nothing to gain
            break
    return Sigmoids(lines[0] / spread, lines[1] - lines[0] * centre / spread)


class _Loss(NamedTuple):
    """Mean cross-entropy of each class's sigmoid, as a function of slopes and offsets (2, K)."""

    scores: Decisions
    targets: Decisions
    shares: Decisions

    def __call__(self, lines: Decisions) -> Decisions:
        z = self.scores * lines[0] + lines[1]
        return np.asarray((self.shares * (np.logaddexp(0, z) - self.targets * z)).sum(axis=0))

    def newton(self, lines: Decisions) -> tuple[Decisions, Decisions]:
        """Gradient and Newton's step, (2, K) each."""
        p = scipy.special.expit(self.scores * lines[0] + lines[1])
        wrong, curve = self.shares * (p - self.targets), self.shares * p * (1 - p)
        gradient = np.array([(wrong * self.scores).sum(axis=0), wrong.sum(axis=0)])
        # constant scores leave the slope where it is
        aa = (curve * self.scores**2).sum(axis=0) + 1e-12
        ab, bb = (curve * self.scores).sum(axis=0), curve.sum(axis=0) + 1e-12
        step = np.array([bb * gradient[0] - ab * gradient[1], aa * gradient[1] - ab * gradient[0]])
        return gradient, -step / (aa * bb - ab**2)


def _moved(loss: _Loss, lines: Decisions, gradient: Decisions, step: Decisions) -> Decisions:
    """The lines after the step, halved for each class until its loss falls enough.

    They are left as they were where it cannot fall.
    """
    before, slope, share = loss(lines), (gradient * step).sum(axis=0), np.ones(lines.shape[1])
    for _ in range(30):
        short = loss(lines + share * step) > before + 1e-4 * share * slope
        if not short.any():
            break
        share = np.where(short, share / 2, share)
    return np.asarray(lines + np.where(short, 0, share) * step)
