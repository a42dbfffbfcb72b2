"""What the networks minimise, against the formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.neural.losses import classification_loss


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_losses_are_their_formulas(loss, smoothing, class_weight):
    rng = np.random.default_rng(0)
    training, codes = np.repeat([0, 1, 2], [10, 5, 1]), np.array([0, 2, 1, 1])
    scores = rng.normal(size=(4, 3))
    odds = np.exp(scores)
    p = odds / odds.sum(axis=1, keepdims=True)
    total = 0.0
    for i, code in enumerate(codes):
        weight = 16 / (3 * [10, 5, 1][code]) if class_weight == "balanced" else 1.0
        for k in range(3):
            t = (1 - smoothing) * (k == code) + smoothing / 3
            total += weight * (
                -t * np.log(p[i, k]) if loss == "cross_entropy" else (p[i, k] - t) ** 2
            )
    computed = classification_loss(loss, smoothing, class_weight, training)(
        torch.from_numpy(scores), torch.from_numpy(codes))
    assert float(computed) == pytest.approx(total / 4, rel=1e-5)
