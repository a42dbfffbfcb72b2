"""The logarithmic opinion pool: log-odds of several models, added up with a weight for each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.arrays import Probabilities
from models.combining import InnerPredictions, MemberPredictions

Weights = NDArray[np.float64]
LEAST_POOLED = 1e-6  # log(p) is bounded, or a single sure mistake would decide the weights
MOST = 20.0  # of a weight, where inner folds hold no mistake that would bound it


def log_pool(members: MemberPredictions, prior: Probabilities, weights: Weights) -> Probabilities:
    """Of samples that all m members know, (n, K): pi(k) prod_m (p_m(k) / pi(k))^w_m, normalised.

    Parameters
    ----------
    prior : pi (K,), the class prior that every member's probabilities take for granted.
    weights : w (m,).
    """
    log_ratios, log_prior = _log_ratios(members, prior)
    return np.asarray(np.exp(_log_pool(log_ratios, log_prior, weights)))


def likeliest_exponents(inner: InnerPredictions, prior: Probabilities) -> Weights:
    """Weights w >= 0 (m,) of the logarithmic pool with the least log loss on inner folds.

    The loss is convex in w, since logits are linear in it: with l_m(k) = log p_m(k) - log pi(k),

        d loss / d w_m = mean_i (E_p[l_m,i] - l_m,i(y_i))

    L-BFGS with bounds (Byrd, Lu, Nocedal and Zhu 1995) descends to its minimum from the product
    rule, where all weights are 1.
    """
    from scipy.optimize import minimize

    count = len(inner.members.present)
    if not len(inner.y):
        return np.full(count, 1.0)
    log_ratios, log_prior = _log_ratios(inner.members, prior)
    rows = np.arange(len(inner.y))
    of_true = log_ratios[:, rows, inner.y]

    def loss(weights: Weights) -> tuple[float, Weights]:
        log_pooled = _log_pool(log_ratios, log_prior, weights)
        expected = np.einsum("nk,mnk->mn", np.exp(log_pooled), log_ratios)
        gradient = (expected - of_true).mean(axis=1)
        return -float(log_pooled[rows, inner.y].mean()), gradient

    bounds = [(0.0, MOST)] * count
    fitted = minimize(loss, np.ones(count), jac=True, bounds=bounds, method="L-BFGS-B",
                      options={"ftol": 1e-12, "gtol": 1e-7})
    return np.asarray(fitted.x)


def _log_ratios(
    members: MemberPredictions, prior: Probabilities
) -> tuple[NDArray[np.float64], Probabilities]:
    """Logarithms of p_m(k) / pi(k), (m, n, K), and of pi(k), (K,)."""
    log_prior = np.log(np.maximum(prior, LEAST_POOLED))
    return np.log(np.maximum(members.probabilities, LEAST_POOLED)) - log_prior, log_prior


def _log_pool(
    log_ratios: NDArray[np.float64], log_prior: Probabilities, weights: Weights
) -> NDArray[np.float64]:
    """Logarithms of the pool's probabilities (n, K)."""
    logits = np.einsum("m,mnk->nk", weights, log_ratios) + log_prior
    logits -= logits.max(axis=1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
