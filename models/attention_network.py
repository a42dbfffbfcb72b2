"""Attention over pairs of regions and tokens in PyTorch; imported only when a network is built."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Similarity = Literal["dot", "cosine"]
FIRST_COSINE_SCALE = 10.0
SAMPLES_AT_ONCE = 256


def pair_attention(
    x: Tensor, h: Tensor, x_mask: Tensor, h_mask: Tensor, similarity: Similarity, scale: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Attend to all pairs of a region x_i and a token h_t of a sample.

    e_it = scale x_i . h_t (dot) or scale cos(x_i, h_t) (cosine); alpha = softmax of e over all pairs
    (i, t) that exist; v = sum_i sum_t alpha_it x_i * h_t, elementwise. As
    v = sum_i x_i * (sum_t alpha_it h_t), no array over (i, t, width) is built.

    Parameters
    ----------
    x, h : (n, i, width) regions and (n, t, width) tokens.
    x_mask, h_mask : bool (n, i) and (n, t), at least one True in each row.
    scale : factor of the similarities.

    Returns
    -------
    v, alpha : (n, width) and (n, i, t).
    """
    if similarity == "cosine":
        energies = functional.normalize(x, dim=-1) @ functional.normalize(h, dim=-1).transpose(1, 2)
    else:
        energies = x @ h.transpose(1, 2)
    pairs = x_mask[:, :, None] & h_mask[:, None, :]
    energies = (energies * scale).masked_fill(~pairs, -torch.inf)
    alpha = energies.flatten(1).softmax(dim=1).view_as(energies)
    return (x * (alpha @ h)).sum(dim=1), alpha


@dataclass(frozen=True)
class Inputs:
    """Tensors of n samples: reduced regions and tokens with masks, and scaled pooled features.

    A sample's mask is all False where it lacks the modality.
    """

    regions: Tensor
    region_mask: Tensor
    tokens: Tensor
    token_mask: Tensor
    pooled: Tensor

    def take(self, rows: Tensor | slice) -> Inputs:
        """Inputs of some samples."""
        return Inputs(self.regions[rows], self.region_mask[rows], self.tokens[rows], self.token_mask[rows],
                      self.pooled[rows])

    def to(self, device: torch.device) -> Inputs:
        """The same on a device."""
        return Inputs(self.regions.to(device), self.region_mask.to(device), self.tokens.to(device),
                      self.token_mask.to(device), self.pooled.to(device))

    def portions(self) -> Iterator[Inputs]:
        """A few samples at a time, in order."""
        for start in range(0, len(self.regions), SAMPLES_AT_ONCE):
            yield self.take(slice(start, start + SAMPLES_AT_ONCE))


class PairAttention(nn.Module):
    """Projects both sequences to one width, attends to their pairs, and classifies v and pooled features.

    A missing modality is a sequence of one learned vector.
    """

    def __init__(
        self, regions: int, tokens: int, pooled: int, classes: int, width: int, similarity: Similarity,
        dropout: float,
    ) -> None:
        super().__init__()
        self.similarity = similarity
        self.of_regions = nn.Linear(regions, width)
        self.of_tokens = nn.Linear(tokens, width)
        self.no_picture = nn.Parameter(torch.randn(width))
        self.no_text = nn.Parameter(torch.randn(width))
        first = FIRST_COSINE_SCALE if similarity == "cosine" else width**-0.5
        self.log_scale = nn.Parameter(torch.tensor(float(np.log(first))), requires_grad=similarity == "cosine")
        self.dropout = nn.Dropout(dropout)
        self.of_pair = nn.Linear(width, classes)
        self.of_pooled = nn.Linear(pooled, classes, bias=False) if pooled else None
        if self.of_pooled is not None:
            nn.init.zeros_(self.of_pooled.weight)

    def attend(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Pair features v (n, width) and weights alpha (n, i, t)."""
        x, x_mask = _with_missing(self.dropout(self.of_regions(inputs.regions)), inputs.region_mask, self.no_picture)
        h, h_mask = _with_missing(self.dropout(self.of_tokens(inputs.tokens)), inputs.token_mask, self.no_text)
        return pair_attention(x, h, x_mask, h_mask, self.similarity, self.log_scale.exp())

    def forward(self, inputs: Inputs) -> Tensor:
        """Class scores (n, classes)."""
        scores: Tensor = self.of_pair(self.dropout(self.attend(inputs)[0]))
        if self.of_pooled is not None:
            scores = scores + self.of_pooled(self.dropout(inputs.pooled))
        return scores


def _with_missing(vectors: Tensor, mask: Tensor, learned: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors and mask in which samples without any have the learned vector in the first place."""
    missing = ~mask.any(dim=1)
    first = torch.zeros_like(mask)
    first[:, 0] = missing
    return torch.where(first[:, :, None], learned, vectors), mask | first


@dataclass(frozen=True)
class Training:
    """How to train: see Attention for the parameters."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    patience: int


def train(
    network: PairAttention, inputs: Inputs, codes: Tensor, fitted: NDArray[np.int64], held_out: NDArray[np.int64],
    how: Training, rng: np.random.Generator,
) -> int:
    """Train on rows `fitted` until the loss on rows `held_out` has not fallen for `patience` epochs.

    The weights with the least held-out loss are restored; without held-out rows, training lasts
    `epochs`. Returns the number of epochs of the weights that are kept.

    Raises
    ------
    FloatingPointError
        Where the loss is no longer finite.
    """
    optimiser = torch.optim.AdamW(network.parameters(), lr=how.learning_rate, weight_decay=how.weight_decay)
    least, kept, best = float("inf"), how.epochs, None
    for epoch in range(1, how.epochs + 1):
        network.train()
        order = torch.from_numpy(rng.permutation(fitted)).to(codes.device)
        for rows in torch.split(order, how.batch):
            optimiser.zero_grad()
            loss = functional.cross_entropy(network(inputs.take(rows)), codes[rows])
            torch.autograd.backward(loss)
            optimiser.step()
        checked = _loss(network, inputs, codes, held_out) if len(held_out) else float(loss.detach())
        if not np.isfinite(checked):
            raise FloatingPointError(
                f"attention diverged in epoch {epoch}: the loss is {checked}; learning_rate "
                f"{how.learning_rate:g} is too high")
        if len(held_out) and checked < least:
            least, kept, best = checked, epoch, copy.deepcopy(network.state_dict())
        if len(held_out) and epoch - kept >= how.patience and best is not None:
            break
    if best is not None:
        network.load_state_dict(best)
    network.eval()
    return kept


def _loss(network: PairAttention, inputs: Inputs, codes: Tensor, rows: NDArray[np.int64]) -> float:
    where = torch.from_numpy(rows).to(codes.device)
    with torch.no_grad():
        return float(functional.cross_entropy(scores(network, inputs.take(where)), codes[where]))


@torch.no_grad()
def scores(network: PairAttention, inputs: Inputs) -> Tensor:
    """Class scores (n, classes) without dropout, a few samples at a time."""
    network.eval()
    return torch.cat([network(portion) for portion in inputs.portions()])


@torch.no_grad()
def weights(network: PairAttention, inputs: Inputs) -> Tensor:
    """Attention weights alpha (n, i, t)."""
    network.eval()
    return torch.cat([network.attend(portion)[1] for portion in inputs.portions()])
