"""Losses of logits, against the formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from features.training.losses import logit_loss


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_the_loss_is_the_mean_of_its_formula(loss):
    logits = np.random.default_rng(0).normal(size=(5, 3))
    codes = np.array([0, 2, 1, 1, 2])
    if loss == "cross_entropy":
        expected = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(5), codes]
    else:
        expected = ((logits - np.eye(3)[codes]) ** 2).sum(axis=1)
    computed = logit_loss(loss)(torch.from_numpy(logits), torch.from_numpy(codes))
    assert float(computed) == pytest.approx(expected.mean(), rel=1e-5)
