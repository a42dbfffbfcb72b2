"""Networks over regions and tokens in PyTorch; imported only when one is built."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from features.training.dropout import Dropout
from features.training.recorded import RecordedModule

Similarity = Literal["dot", "cosine"]
Projection = Literal["linear", "hidden"]
FIRST_COSINE_SCALE = 10.0


def pair_attention(
    x: Tensor,
    h: Tensor,
    x_mask: Tensor,
    h_mask: Tensor,
    similarity: Similarity,
    scale: Tensor | float,
) -> tuple[Tensor, Tensor]:
    """Attend to all pairs of a region x_i and a token h_t of a sample.

    e_it = scale x_i . h_t (dot) or scale cos(x_i, h_t) (cosine); alpha = softmax of e over all
    pairs (i, t) that exist; v = sum_i sum_t alpha_it x_i * h_t, elementwise. As v = sum_i x_i *
    (sum_t alpha_it h_t), no array over (i, t, width) is built.

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


class Sequences(nn.Module):
    """Projects regions and tokens to one width, "hidden": through a layer of twice that width.

    A missing modality is a sequence of one learned vector.
    """

    def __init__(
        self,
        regions: int,
        tokens: int,
        width: int,
        dropout: float,
        projection: Projection = "linear",
    ) -> None:
        super().__init__()
        self.of_regions = _projected(regions, width, projection)
        self.of_tokens = _projected(tokens, width, projection)
        self.no_picture = nn.Parameter(torch.randn(width))
        self.no_text = nn.Parameter(torch.randn(width))
        self.dropout = Dropout(dropout)

    def forward(
        self, regions: Tensor, region_mask: Tensor, tokens: Tensor, token_mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Projected regions x (n, i, width) and tokens h (n, t, width) with their masks.

        No mask is all False.
        """
        x, x_mask = _with_missing(
            self._dropped(self.of_regions(regions)), region_mask, self.no_picture
        )
        h, h_mask = _with_missing(self._dropped(self.of_tokens(tokens)), token_mask, self.no_text)
        return x, h, x_mask, h_mask

    def _dropped(self, vectors: Tensor) -> Tensor:
        """Vectors (n, t, width) without some of a sample's dimensions, the same for all of them."""
        factors = self.dropout(torch.ones_like(vectors[:, :1]))
        return vectors * factors if self.training else vectors


def _projected(entering: int, width: int, projection: Projection) -> nn.Module:
    """W x, or W_2 relu(W_1 x)."""
    if projection == "linear":
        return nn.Linear(entering, width)
    return nn.Sequential(nn.Linear(entering, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))


def _with_missing(vectors: Tensor, mask: Tensor, learned: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors and mask in which samples without any have the learned vector in the first place."""
    missing = ~mask.any(dim=1)
    first = torch.zeros_like(mask)
    first[:, 0] = missing
    return torch.where(first[:, :, None], learned.to(vectors.dtype), vectors), mask | first


class Head(nn.Module):
    """Linear classifier over what attention gives and, where there are any, pooled features."""

    def __init__(self, attended: int, pooled: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.of_attended = nn.Linear(attended, classes)
        self.of_pooled = nn.Linear(pooled, classes, bias=False) if pooled else None
        if self.of_pooled is not None:
            nn.init.zeros_(self.of_pooled.weight)

    def forward(self, attended: Tensor, pooled: Tensor) -> Tensor:
        """Class scores (n, classes)."""
        scores: Tensor = self.of_attended(self.dropout(attended))
        if self.of_pooled is not None:
            scores = scores + self.of_pooled(self.dropout(pooled))
        return scores


class PairAttention(RecordedModule):
    """Attends to the pairs of a region and a token, and classifies v and pooled features."""

    def __init__(
        self,
        regions: int,
        tokens: int,
        pooled: int,
        classes: int,
        width: int,
        similarity: Similarity,
        dropout: float,
        projection: Projection = "linear",
    ) -> None:
        super().__init__()
        self.similarity = similarity
        self.sequences = Sequences(regions, tokens, width, dropout, projection)
        first = FIRST_COSINE_SCALE if similarity == "cosine" else width**-0.5
        self.log_scale = nn.Parameter(
            torch.tensor(float(np.log(first))), requires_grad=similarity == "cosine"
        )
        self.head = Head(width, pooled, classes, dropout)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Class scores (n, classes) from what SequenceAttention gives."""
        scores: Tensor = self.head(self._attend(inputs)[0], inputs[4])
        return scores

    def attention(self, *inputs: Tensor) -> Tensor:
        """Weights alpha (n, i, t)."""
        return self._attend(inputs)[1]

    def _attend(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        x, h, x_mask, h_mask = self.sequences(*inputs[:4])
        return pair_attention(x, h, x_mask, h_mask, self.similarity, self.log_scale.exp())
