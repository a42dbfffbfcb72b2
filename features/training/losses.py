"""Losses of picture encoders' classifiers."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from features.training.loop import Objective
from features.training.settings import Loss


def logit_loss(loss: Loss) -> Objective:
    """Mean loss of logits (b, K) and classes (b,).

    "cross_entropy", or "mse": squared differences of the logits to the one-hot class, summed over
    classes (Hui and Belkin, Evaluation of neural architectures trained with square loss vs
    cross-entropy, 2021).
    """
    return _cross_entropy if loss == "cross_entropy" else _squared_differences


def _cross_entropy(logits: Tensor, codes: Tensor) -> Tensor:
    return functional.cross_entropy(logits.float(), codes)


def _squared_differences(logits: Tensor, codes: Tensor) -> Tensor:
    one_hot = functional.one_hot(codes, logits.shape[1]).float()
    return (logits.float() - one_hot).square().sum(dim=1).mean()
