"""Temperature scaling: probabilities that mean what they say, learned from held-out rows."""

from __future__ import annotations

import numpy as np

from models.arrays import Codes, Probabilities

VERSION = 1  # raised when the same predictions give another temperature
LEAST = 1e-12


def tempered(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Softmax of log p / temperature, (n, K).

    Above 1 probabilities move towards each other, below 1 apart.
    """
    logits = np.log(np.maximum(probabilities, LEAST)) / temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def fitted_temperature(probabilities: Probabilities, labels: Codes) -> float:
    """The temperature, 0.05 to 20, with the least log loss on predictions (n, K) of classes (n,).

    The loss is convex in b = 1 / temperature with derivative mean_i (E_p[l_i] - l_i,y) and second
    derivative mean_i Var_p[l_i], for l = log p of the plain probabilities: a few Newton steps find
    it (Guo et al. 2017, On Calibration of Modern Neural Networks, ICML). Raises ValueError without
    predictions.
    """
    if not len(labels):
        raise ValueError("a temperature needs one prediction at least")
    logs = np.log(np.maximum(probabilities, LEAST))
    chosen = logs[np.arange(len(labels)), labels]
    inverse = 1.0
    for _ in range(30):
        now = tempered(probabilities, 1 / inverse)
        means = (now * logs).sum(axis=1)
        curvature = float(((now * np.square(logs)).sum(axis=1) - np.square(means)).mean())
        step = float((means - chosen).mean()) / max(curvature, LEAST)
        before, inverse = (
            inverse,
            float(np.clip(inverse - step, max(0.05, inverse / 2), min(20.0, inverse * 2))),
        )
        if abs(inverse - before) < 1e-7 * inverse:
            break
    return 1 / inverse
