"""The rules of late fusion in PyTorch: see models.late.rules.

Probabilities of the members are double (m, n, K), and `present` (m, n) says who knows a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.late.late import Late
from models.late.log_pool import LEAST_POOLED
from models.late.rules import LEAST
from models.late.stacking import LEAST_STACKED, Stacker
from pipeline.use.exporting.classifiers import Linear, Softmax
from pipeline.use.exporting.preparation import constant, one_hot


def counted(present: Tensor) -> Tensor:
    """See models.late.rules.counted."""
    return present | ~present.any(dim=0)


def weighted_mean(probabilities: Tensor, present: Tensor, weights: Tensor) -> Tensor:
    """See models.late.rules.weighted_mean."""
    there = counted(present).double()
    shares = weights[:, None] * there
    shares = torch.where(shares.sum(dim=0) > 0, shares, there)
    shares = shares / shares.sum(dim=0)
    return (shares[:, :, None] * probabilities).sum(dim=0)


def _mean(probabilities: Tensor, present: Tensor, prior: Tensor) -> Tensor:
    return weighted_mean(probabilities, present, torch.ones_like(probabilities[:, 0, 0]))


def product(probabilities: Tensor, present: Tensor, prior: Tensor) -> Tensor:
    """See models.late.rules.product."""
    logs = prior.clamp(min=LEAST).log()
    likelihoods = probabilities.clamp(min=LEAST).log() - logs
    odds = ((likelihoods * present[:, :, None]).sum(dim=0) + logs).softmax(dim=1)
    return torch.where(present.any(dim=0)[:, None], odds, _mean(probabilities, present, prior))


def _maximum(probabilities: Tensor, present: Tensor, prior: Tensor) -> Tensor:
    largest = torch.where(counted(present)[:, :, None], probabilities, 0.0).amax(dim=0)
    return largest / largest.sum(dim=1, keepdim=True)


def _majority(probabilities: Tensor, present: Tensor, prior: Tensor) -> Tensor:
    mean = _mean(probabilities, present, prior)
    voters = present.sum(dim=0)[:, None]
    classes = torch.arange(probabilities.shape[2])
    ballots = probabilities.argmax(dim=2)[:, :, None] == classes
    votes = (ballots & present[:, :, None]).double().sum(dim=0)
    return torch.where(voters > 1, (votes + mean) / (voters + 1), mean)


def log_pool(probabilities: Tensor, prior: Tensor, weights: Tensor) -> Tensor:
    """See models.late.log_pool.log_pool."""
    log_prior = prior.clamp(min=LEAST_POOLED).log()
    log_ratios = probabilities.clamp(min=LEAST_POOLED).log() - log_prior
    return ((weights[:, None, None] * log_ratios).sum(dim=0) + log_prior).softmax(dim=1)


Rule = Callable[[Tensor, Tensor, Tensor], Tensor]
FIXED: dict[str, Rule] = {
    "mean": _mean, "product": product, "max": _maximum, "majority": _majority
}


class Combined(nn.Module):
    """Probabilities (n, K) from those of members, by a fitted rule: see Late.combine."""

    prior: Tensor
    weights: Tensor

    def __init__(self, fitted: Late, members: int) -> None:
        super().__init__()
        self.rule = FIXED.get(fitted.rule)
        self.pools = fitted.rule == "log_pool" and fitted.weights_ is not None
        self.register_buffer("prior", constant(fitted.prior_))
        weights = torch.ones(members, dtype=torch.float64)
        if fitted.weights_ is not None:
            weights = constant(fitted.weights_)
        self.register_buffer("weights", weights)
        self.stacked = (
            None if fitted.stacker_ is None else Stacked(fitted.stacker_, fitted.prior_)
        )

    def forward(self, probabilities: Tensor, present: Tensor) -> Tensor:
        """See Late.combine."""
        if self.rule is not None:
            return self.rule(probabilities, present, self.prior)
        combined = weighted_mean(probabilities, present, self.weights)
        if self.stacked is not None:
            of_whole = self.stacked(probabilities)
        elif self.pools:
            of_whole = log_pool(probabilities, self.prior, self.weights)
        else:
            return combined
        return torch.where(present.all(dim=0)[:, None], of_whole, combined)


class Stacked(nn.Module):
    """See models.late.stacking.Stacker.

    Parameters
    ----------
    classes : (K,), anything of each class.
    """

    columns: Tensor

    def __init__(self, stacker: Stacker, classes: NDArray[Any]) -> None:
        super().__init__()
        solution = stacker.solution
        self.scores = nn.Sequential(Linear(solution.coef, solution.intercept), Softmax())
        self.register_buffer("columns", one_hot(solution.classes, classes))

    def forward(self, probabilities: Tensor) -> Tensor:
        """Probabilities (n, K); 0 for classes that no sample it learned from had."""
        logs = probabilities.clamp(min=LEAST_STACKED).log().float()
        known: Tensor = self.scores(torch.cat(list(logs), dim=1))
        return known @ self.columns
