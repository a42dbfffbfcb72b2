"""Rules that combine the probabilities of several models: fixed ones, and ones learned on inner folds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from features.block import BoolArray
from models.combining import Inner, Parts
from models.fusion import Probabilities

Weights = NDArray[np.float64]
# A class that one part rules out may still be revived by the others, if they are sure enough.
LEAST = 1e-12
EM_STEPS, EM_TOLERANCE = 2000, 1e-7
SELECTION_STEPS = 100


def counted(present: BoolArray) -> BoolArray:
    """Which parts count for each sample (m, n): those that know it; all, where none does."""
    # Parts give the training frequencies where they lack their modality: what is left if all do.
    return np.asarray(present | ~present.any(axis=0))


def equal_weights(parts: Parts) -> Weights:
    """The same weight for each of m parts: (m,)."""
    return np.full(len(parts.present), 1 / len(parts.present))


def weighted_mean(parts: Parts, weights: Weights) -> Probabilities:
    """sum_m w_m p_m(k) / sum_m w_m over the parts that know a sample; their plain mean where all have weight 0."""
    there = counted(parts.present)
    shares = weights[:, None] * there
    shares = np.where(shares.sum(axis=0) > 0, shares, there)
    shares = shares / shares.sum(axis=0)
    return np.asarray(np.einsum("mn,mnk->nk", shares, parts.probabilities))


def product(parts: Parts, frequencies: Probabilities) -> Probabilities:
    """f(k)^(1 - M) prod_m p_m(k), normalised, over the M parts that know a sample; factors at least 1e-12."""
    there = counted(parts.present)[:, :, None]
    # Frequencies are no smaller than one sample's share, except for classes that every part rules
    # out anyway.
    prior = np.log(np.maximum(frequencies, LEAST))
    logs = ((np.log(np.maximum(parts.probabilities, LEAST)) - prior) * there).sum(axis=0) + prior
    found = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def maximum(parts: Parts, frequencies: Probabilities) -> Probabilities:
    """max_m p_m(k), normalised, over the parts that know a sample."""
    found = np.where(counted(parts.present)[:, :, None], parts.probabilities, 0).max(axis=0)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def majority(parts: Parts, frequencies: Probabilities) -> Probabilities:
    """(votes for k + mean_m p_m(k)) / (M + 1): the mean probability decides between classes of equal votes.

    Where one part alone knows a sample there is no vote: its probabilities stand.
    """
    mean = weighted_mean(parts, equal_weights(parts))
    voters = parts.present.sum(axis=0)[:, None]
    ballots = np.eye(parts.probabilities.shape[2])[parts.probabilities.argmax(axis=2)]
    votes = (ballots * parts.present[:, :, None]).sum(axis=0)
    return np.asarray(np.where(voters > 1, (votes + mean) / (voters + 1), mean))


FIXED: dict[str, Callable[[Parts, Probabilities], Probabilities]] = {
    "mean": lambda parts, frequencies: weighted_mean(parts, equal_weights(parts)),
    "product": product,
    "max": maximum,
    "majority": majority,
}


def complete(inner: Inner) -> Inner:
    """The samples that every part knows: only they tell how much to trust each part."""
    rows = np.flatnonzero(inner.parts.present.all(axis=0))
    parts = Parts(inner.parts.probabilities[:, rows], inner.parts.present[:, rows])
    return Inner(parts, inner.y[rows], inner.folds[rows])


def _chances(inner: Inner) -> Probabilities:
    """Probability that each part gave to the true class of each sample: (n, m)."""
    return np.maximum(inner.parts.probabilities[:, np.arange(len(inner.y)), inner.y].T, LEAST)


def likeliest_weights(inner: Inner) -> Weights:
    """Weights (m,) on the simplex with the least log loss of the weighted mean.

    The loss is convex; expectation-maximisation for the shares of a mixture (Dempster, Laird and
    Rubin 1977) descends to its minimum from equal weights.
    """
    weights = equal_weights(inner.parts)
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


def selected_weights(inner: Inner) -> Weights:
    """Weights (m,) of ensemble selection: how often each part was taken, of all that were taken.

    Parts are taken one by one, with replacement, each time the one that gives the mean of all taken
    so far the least log loss; of the first 100 ensembles the best is kept (Caruana et al. 2004,
    Ensemble Selection from Libraries of Models).
    """
    if not len(inner.y):
        return equal_weights(inner.parts)
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


LEARNED: dict[str, Callable[[Inner], Weights]] = {
    "weighted": likeliest_weights,
    "selection": selected_weights,
}
