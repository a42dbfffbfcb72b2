"""What the networks minimise."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from features.training.loop import Objective
from features.training.torch_state import device
from models.arrays import Codes


def at_least_single(scores: Tensor) -> Tensor:
    """Scores of a network in half precision, in single precision: losses need it."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def classification_loss(
    loss: Literal["cross_entropy", "mse"],
    label_smoothing: float,
    class_weight: Literal["none", "balanced"],
    codes: Codes,
) -> Objective:
    """Mean of `row_losses` over the rows."""
    loss_of_rows = row_losses(loss, label_smoothing, class_weight, codes)
    return lambda scores, codes: loss_of_rows(scores, codes).mean()


def row_losses(
    loss: Literal["cross_entropy", "mse"],
    label_smoothing: float,
    class_weight: Literal["none", "balanced"],
    codes: Codes,
) -> Objective:
    """Loss of each row, w_y l(p, t), with p the softmax of its scores and t its smoothed class.

    cross_entropy: l = -sum_k t_k log p_k
    mse:           l = sum_k (p_k - t_k)^2 (Brier 1950)

    t_k = (1 - s) [k = y] + s / K with label smoothing s (Szegedy et al. 2016). Weights w are 1, or
    balanced: n / (K n_y) with n_y of the n training rows in class y, so that each class counts the
    same.

    Parameters
    ----------
    loss : "cross_entropy" or "mse", the squared difference of probabilities.
    label_smoothing : s, the part of a row's label that is shared out among all classes.
    class_weight : "none", or "balanced": each class counts the same, however many rows it has.
    codes : (n,) classes of the training rows from 0, each of which occurs.
    """
    counts = np.bincount(codes)
    balanced = (
        len(codes) / (len(counts) * counts) if class_weight == "balanced" else np.ones(len(counts))
    )
    weights = torch.from_numpy(balanced).float().to(device())

    def losses(scores: Tensor, codes: Tensor) -> Tensor:
        scores = at_least_single(scores)
        if loss == "cross_entropy":
            unweighted = functional.cross_entropy(
                scores, codes, reduction="none", label_smoothing=label_smoothing
            )
        else:
            targets = functional.one_hot(codes, scores.shape[1]) * (1 - label_smoothing)
            unweighted = (
                (scores.softmax(dim=1) - targets - label_smoothing / scores.shape[1])
                .square()
                .sum(dim=1)
            )
        return unweighted * weights[codes]

    return losses
