"""The network of cross-attention in PyTorch; imported only when one is built."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.neural.attention_network import Averaged, Head, ScoresBesidePooled, Sequences


class CrossAttentionNetwork(ScoresBesidePooled):
    """Lets regions look at tokens and tokens at regions.

    It classifies the means of both and pooled features.
    """

    def __init__(
        self,
        regions: int,
        tokens: int,
        pooled: int,
        classes: int,
        width: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.sequences = Sequences(regions, tokens, width, dropout)
        self.of_regions, self.of_tokens = CoAttention(width, heads), CoAttention(width, heads)
        self.head = Head(2 * width, pooled, classes, dropout)

    def attended(self, *sequences: Tensor) -> Tensor:
        """See ScoresBesidePooled: means of both modalities' vectors (n, 2 width)."""
        x, h, x_mask, h_mask = self.sequences(*sequences)
        means = [
            _mean(self.of_regions(x, h, h_mask), x_mask),
            _mean(self.of_tokens(h, x, x_mask), h_mask),
        ]
        return torch.cat(means, dim=1)

    def attention(self, *inputs: Tensor) -> Tensor:
        """Weights alpha (n, i, t): half from regions looking at tokens, half the other way."""
        x, h, x_mask, h_mask = self.sequences(*inputs[:4])
        from_regions = self.of_regions.weights(x, h, h_mask) * _shares(x_mask)[:, :, None]
        from_tokens = (
            self.of_tokens.weights(h, x, x_mask).transpose(1, 2) * _shares(h_mask)[:, None, :]
        )
        return (from_regions + from_tokens) / 2


class AveragedCrossAttention(Averaged):
    """See Averaged."""

    member = CrossAttentionNetwork


class CoAttention(nn.Module):
    """One block in which vectors of one modality look at those of the other.

    Attention, then two layers for each vector.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(width, heads, batch_first=True)
        self.layers = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )
        self.after_attention, self.after_layers = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, looking: Tensor, other: Tensor, other_mask: Tensor) -> Tensor:
        """What `looking` (n, a, width) became after a look at `other` (n, b, width).

        Of the latter, only what exists by `other_mask` (n, b) is seen.
        """
        seen, _ = self.attend(
            looking, other, other, key_padding_mask=~other_mask, need_weights=False
        )
        attended = self.after_attention(looking + seen)
        vectors: Tensor = self.after_layers(attended + self.layers(attended))
        return vectors

    def weights(self, looking: Tensor, other: Tensor, other_mask: Tensor) -> Tensor:
        """How much each of `looking` looks at each of `other`, (n, a, b): the heads' mean.

        It adds up to 1 over b.
        """
        weights: Tensor = self.attend(looking, other, other, key_padding_mask=~other_mask)[1]
        return weights


def _shares(mask: Tensor) -> Tensor:
    """Equal weights (n, t) of what exists, adding up to 1."""
    return mask / mask.sum(dim=1, keepdim=True)


def _mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """Mean (n, width) of the vectors (n, t, width) that exist."""
    return torch.einsum("ntw,nt->nw", vectors, _shares(mask).to(vectors.dtype))
