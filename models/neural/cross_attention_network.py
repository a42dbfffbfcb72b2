"""The network of cross-attention in PyTorch; imported only when one is built."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.neural.attention_network import Averaged, Head, ScoresBesidePooled, Sequences

QUERIES, KEYS, VALUES = range(3)  # in the order of nn.MultiheadAttention's joint weights


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
        self.of_regions = CoAttention(width, heads, by_many=True)
        self.of_tokens = CoAttention(width, heads, by_many=False)
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

    Attention, then two layers for each vector. Queries, keys and values of the modality with the
    many vectors (regions, as a rule) need not be computed: where these look at the few,

    (X Q_k + q_k)(H K_k + c_k)' = X [(H K_k + c_k) Q_k']' + q_k (H K_k + c_k)'
    A_k (H V_k) O_k = A_k [H V_k O_k]

    and where the few look at them, (H Q_k)(X K_k)' = [H Q_k K_k'] X' and A_k (X V_k) = [A_k X] V_k;
    c_k drops out of the softmax there. With 49 regions a step of training takes 5.9 ms in place of
    11.1 with one token, 10.3 in place of 17.1 with eight, 32.5 in place of 43.0 with 64, and an
    epoch on OpenMoji two thirds of the time (benchmarks.networks).

    Parameters
    ----------
    width, heads : see CrossAttention.
    by_many : whether the many look at the few; else the few look at them.
    """

    def __init__(self, width: int, heads: int, by_many: bool) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(width, heads, batch_first=True)
        self.layers = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )
        self.after_attention, self.after_layers = nn.LayerNorm(width), nn.LayerNorm(width)
        self.by_many = by_many

    def forward(self, looking: Tensor, other: Tensor, other_mask: Tensor) -> Tensor:
        """What `looking` (n, a, width) became after a look at `other` (n, b, width).

        Of the latter, only what exists by `other_mask` (n, b) is seen.
        """
        look = self._many_at_few if self.by_many else self._few_at_many
        lacking = torch.zeros_like(other_mask, dtype=other.dtype)
        lacking = lacking.masked_fill(~other_mask, -torch.inf)
        attended = self.after_attention(look(looking, other, lacking))
        vectors: Tensor = self.after_layers(attended + self.layers(attended))
        return vectors

    def _many_at_few(self, looking: Tensor, other: Tensor, lacking: Tensor) -> Tensor:
        """`looking` and what it sees; `lacking` (n, b) is 0, or minus infinity where none is."""
        (n, few, _), heads = other.shape, self.attend.num_heads
        values = self._of_heads(VALUES, other)
        if few == 1:  # seen by all, whatever it is: 6.3 ms a step of training in place of 7.5
            return looking + self._joined(values, n, few)
        keys = self._of_heads(KEYS, other)
        of_queries, bias = self._matrices(QUERIES)
        biases = torch.bmm(keys, bias[:, :, None]).view(heads, n, few).transpose(0, 1)
        energies = torch.baddbmm(
            (biases + lacking[:, None, :]).reshape(n, heads * few, 1),
            _by_sample(torch.bmm(keys, of_queries), n, few),
            looking.transpose(1, 2),
        )
        # over the few, which stand in the middle: the many, side by side, are taken together
        by_head = energies.view(n, heads, few, looking.shape[1])
        alpha = by_head.softmax(dim=2).flatten(1, 2)
        out = self.attend.out_proj
        of_out = out.weight.view(len(out.bias), heads, -1).permute(1, 2, 0)
        # each head's weights add up to 1, so that the bias comes with its values
        seen = torch.baddbmm(out.bias / heads, values, of_out)
        return torch.baddbmm(looking, alpha.transpose(1, 2), _by_sample(seen, n, few))

    def _few_at_many(self, looking: Tensor, other: Tensor, lacking: Tensor) -> Tensor:
        """`looking` and what it sees; `lacking` (n, b) is 0, or minus infinity where none is."""
        (n, few, width), heads = looking.shape, self.attend.num_heads
        asked = torch.bmm(self._of_heads(QUERIES, looking), self._matrices(KEYS)[0])
        energies = torch.baddbmm(
            lacking[:, None, :], _by_sample(asked, n, few), other.transpose(1, 2)
        )
        seen = torch.bmm(energies.softmax(dim=2), other).view(n, heads, few, width)
        weight, bias = self._matrices(VALUES)
        by_head = seen.transpose(0, 1).reshape(heads, n * few, width)
        values = torch.baddbmm(bias[:, None, :], by_head, weight.transpose(1, 2))
        return looking + self._joined(values, n, few)

    def _joined(self, values: Tensor, n: int, few: int) -> Tensor:
        """What n samples see (n, few, width) of values (heads, n few, size)."""
        side_by_side = values.transpose(0, 1).reshape(n, few, self.attend.embed_dim)
        seen: Tensor = self.attend.out_proj(side_by_side)
        return seen

    def _of_heads(self, part: int, vectors: Tensor) -> Tensor:
        """Queries, keys or values (heads, n b, size) of vectors (n, b, width)."""
        weight, bias = self._matrices(part)
        projected = functional.linear(vectors, weight.flatten(0, 1), bias.flatten())
        return projected.view(-1, *bias.shape).transpose(0, 1)

    def _matrices(self, part: int) -> tuple[Tensor, Tensor]:
        """Weight (heads, size, width) and bias (heads, size) of queries, keys or values."""
        heads = self.attend.num_heads
        width = self.attend.embed_dim
        weight = self.attend.in_proj_weight.chunk(3)[part].view(heads, -1, width)
        bias = self.attend.in_proj_bias.chunk(3)[part].view(heads, -1)
        # The product of queries and keys is scaled once, with the queries.
        scale = bias.shape[1] ** -0.5 if part == QUERIES else 1.0
        return weight * scale, bias * scale

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


def _by_sample(vectors: Tensor, n: int, few: int) -> Tensor:
    """Vectors of n samples (heads, n few, width) as (n, heads few, width)."""
    by_head = vectors.view(len(vectors), n, few, vectors.shape[2])
    return by_head.transpose(0, 1).flatten(1, 2)
