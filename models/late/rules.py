"""Rules that combine several models' probabilities: fixed ones, and ones learned on inner folds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from features.block import BoolArray
from models.arrays import Probabilities
from models.combining import InnerPredictions, MemberPredictions
from models.late.log_pool import likeliest_exponents

Weights = NDArray[np.float64]
# A class that one member rules out may still be revived by the others, if they are sure enough.
LEAST = 1e-12
EM_STEPS, EM_TOLERANCE = 2000, 1e-7
SELECTION_STEPS = 100


def counted(present: BoolArray) -> BoolArray:
    """Which members count for each sample (m, n): those that know it; all, where none does."""
    # Members give the training frequencies where they lack their modality: what is left if all do.
    return np.asarray(present | ~present.any(axis=0))


def equal_weights(members: MemberPredictions) -> Weights:
    """The same weight for each of m members: (m,)."""
    return np.full(len(members.present), 1 / len(members.present))


def weighted_mean(members: MemberPredictions, weights: Weights) -> Probabilities:
    """sum_m w_m p_m(k) / sum_m w_m over the members that know a sample.

    Their plain mean, where all of these have weight 0.
    """
    there = counted(members.present)
    shares = weights[:, None] * there
    shares = np.where(shares.sum(axis=0) > 0, shares, there)
    shares = shares / shares.sum(axis=0)
    return np.asarray(np.einsum("mn,mnk->nk", shares, members.probabilities))


def product(members: MemberPredictions, prior: Probabilities) -> Probabilities:
    """pi(k)^(1 - M) prod_m p_m(k), normalised, over the M members that know a sample.

    With pi the class prior (K,) that every member's probabilities take for granted. Factors count
    as 1e-12 at least. Where no member knows a sample: their mean.
    """
    # A prior is no smaller than one sample's share, except for classes that every member rules out
    # anyway.
    logs = np.log(np.maximum(prior, LEAST))
    likelihoods = np.log(np.maximum(members.probabilities, LEAST)) - logs
    sums = (likelihoods * members.present[:, :, None]).sum(axis=0) + logs
    odds = np.exp(sums - sums.max(axis=1, keepdims=True))
    mean = weighted_mean(members, equal_weights(members))
    known = np.any(members.present, axis=0, keepdims=True).T
    return np.asarray(np.where(known, odds / odds.sum(axis=1, keepdims=True), mean))


def maximum(members: MemberPredictions, prior: Probabilities) -> Probabilities:
    """max_m p_m(k), normalised, over the members that know a sample."""
    largest = np.where(counted(members.present)[:, :, None], members.probabilities, 0).max(axis=0)
    return np.asarray(largest / largest.sum(axis=1, keepdims=True))


def majority(members: MemberPredictions, prior: Probabilities) -> Probabilities:
    """(votes for k + mean_m p_m(k)) / (M + 1), over the M members that know a sample.

    The mean probability decides between classes of equal votes. Where one member alone knows a
    sample there is no vote: its probabilities stand.
    """
    mean = weighted_mean(members, equal_weights(members))
    voters = members.present.sum(axis=0)[:, None]
    ballots = np.eye(members.probabilities.shape[2])[members.probabilities.argmax(axis=2)]
    votes = (ballots * members.present[:, :, None]).sum(axis=0)
    return np.asarray(np.where(voters > 1, (votes + mean) / (voters + 1), mean))


FIXED: dict[str, Callable[[MemberPredictions, Probabilities], Probabilities]] = {
    "mean": lambda members, prior: weighted_mean(members, equal_weights(members)),
    "product": product,
    "max": maximum,
    "majority": majority,
}


def complete(inner: InnerPredictions) -> InnerPredictions:
    """The samples that every member knows: only they tell how much to trust each member."""
    rows = np.flatnonzero(inner.members.present.all(axis=0))
    members = inner.members
    known = MemberPredictions(members.probabilities[:, rows], members.present[:, rows])
    return InnerPredictions(known, inner.y[rows], inner.folds[rows])


def _chances(inner: InnerPredictions) -> Probabilities:
    """Probability that each member gave to the true class of each sample: (n, m)."""
    return np.maximum(inner.members.probabilities[:, np.arange(len(inner.y)), inner.y].T, LEAST)


def likeliest_weights(inner: InnerPredictions) -> Weights:
    """Weights (m,) on the simplex with the least log loss of the weighted mean.

    The loss is convex; expectation-maximisation for the shares of a mixture (Dempster, Laird and
    Rubin 1977) descends to its minimum from equal weights.
    """
    weights = equal_weights(inner.members)
    if not len(inner.y):
        return weights
    chances = _chances(inner)
    for _ in range(EM_STEPS):
        shares = chances * weights
        moved = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
        arrived = np.abs(moved - weights).max() < EM_TOLERANCE
        weights = moved
        if arrived:
            break
    return np.asarray(weights)


def selected_weights(inner: InnerPredictions) -> Weights:
    """Weights (m,) of ensemble selection: how often each member was taken, of all that were taken.

    Members are taken one by one, with replacement, each time the one that gives the mean of all
    taken so far the least log loss; of the first 100 ensembles the best is kept (Caruana et al.
    2004, Ensemble Selection from Libraries of Models).
    """
    if not len(inner.y):
        return equal_weights(inner.members)
    chances = _chances(inner)
    taken, total = np.zeros(chances.shape[1]), np.zeros((len(chances), 1))
    best, weights = np.inf, taken
    for size in range(1, SELECTION_STEPS + 1):
        losses = -np.log((total + chances) / size).mean(axis=0)
        pick = int(np.argmin(losses))
        taken[pick] += 1
        total += chances[:, [pick]]
        if losses[pick] < best:
            best, weights = losses[pick], taken / size
    return weights


LEARNED: dict[str, Callable[[InnerPredictions, Probabilities], Weights]] = {
    "weighted": lambda inner, prior: likeliest_weights(inner),
    "selection": lambda inner, prior: selected_weights(inner),
    "log_pool": likeliest_exponents,
}
