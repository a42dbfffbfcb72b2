"""Networks over regions and tokens in PyTorch; imported only when one is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from features.training.dropout import Dropout
from features.training.recorded import RecordedModule

if TYPE_CHECKING:
    from models.softmax.linear_part import LinearPart

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
    pairs (i, t) that exist; v = sum_i sum_t alpha_it x_i * h_t, elementwise. As v = sum_t h_t *
    (sum_i alpha_it x_i), no array over (i, t, width) is built, and what is done number by number
    is done to tokens, of which there are fewer. Pairs that do not exist have minus infinity added,
    which costs nothing on the way back.

    Parameters
    ----------
    x, h : (n, i, width) regions and (n, t, width) tokens.
    x_mask, h_mask : bool (n, i) and (n, t), at least one True in each row.
    scale : factor of the similarities.

    Returns
    -------
    v, alpha : (n, width) and (n, i, t).
    """
    asked, compared = h, x
    if similarity == "cosine":
        asked, compared = functional.normalize(h, dim=-1), functional.normalize(x, dim=-1)
    absent = _absent(h_mask, x.dtype)[:, :, None] + _absent(x_mask, x.dtype)[:, None, :]
    energies = torch.baddbmm(absent, asked * scale, compared.transpose(1, 2))
    alpha = energies.flatten(1).softmax(dim=1).view_as(energies)
    return (h * (alpha @ x)).sum(dim=1), alpha.transpose(1, 2)


def _absent(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where the mask is True, minus infinity elsewhere."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, -torch.inf)


class Sequences(nn.Module):
    """Projects regions and tokens to one width, "hidden": through a layer of twice that width.

    A missing modality is a sequence of one learned vector. Dropout leaves out dimensions of all
    regions, and of all tokens, of a sample. Where only products x_i * h_t are made of them
    (`multiplied`), those of regions are left out of the tokens, too: the products are the same, and
    the regions, of which there are more, need not be gone through.
    """

    def __init__(
        self,
        regions: int,
        tokens: int,
        width: int,
        dropout: float,
        projection: Projection = "linear",
        multiplied: bool = False,
    ) -> None:
        super().__init__()
        self.of_regions = _projected(regions, width, projection)
        self.of_tokens = _projected(tokens, width, projection)
        self.no_picture = nn.Parameter(torch.randn(width))
        self.no_text = nn.Parameter(torch.randn(width))
        self.dropout, self.multiplied = Dropout(dropout), multiplied

    def forward(
        self, regions: Tensor, region_mask: Tensor, tokens: Tensor, token_mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Projected regions x (n, i, width) and tokens h (n, t, width) with their masks.

        No mask is all False.
        """
        x, x_mask = self._complete(self.of_regions(regions), region_mask, self.no_picture)
        h, h_mask = self._complete(self.of_tokens(tokens), token_mask, self.no_text)
        if self.training:
            of_x, of_h = (self.dropout(torch.ones_like(vectors[:, :1])) for vectors in (x, h))
            x, h = (x, h * (of_x * of_h)) if self.multiplied else (x * of_x, h * of_h)
        return x, h, x_mask, h_mask

    def _complete(self, vectors: Tensor, mask: Tensor, learned: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors and mask in which samples without any have the learned vector in front."""
        missing = ~mask.any(dim=1)
        # While it trains, a look at the samples saves going through all vectors there and back.
        if self.training and not missing.any():
            return vectors, mask
        first = torch.zeros_like(mask)
        first[:, 0] = missing
        return torch.where(first[:, :, None], learned.to(vectors.dtype), vectors), mask | first


def _projected(entering: int, width: int, projection: Projection) -> nn.Module:
    """W x, or W_2 relu(W_1 x)."""
    if projection == "linear":
        return nn.Linear(entering, width)
    return nn.Sequential(nn.Linear(entering, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))


class Head(nn.Module):
    """Linear classifier over what attention gives and, where there are any, pooled features.

    Where there are, what it says of the former starts as nothing, for training is then on top of
    the latter (OnTop).
    """

    def __init__(self, attended: int, pooled: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.of_attended = nn.Linear(attended, classes)
        self.of_pooled = nn.Linear(pooled, classes, bias=False) if pooled else None
        if self.of_pooled is not None:
            for solved in (self.of_attended.weight, self.of_attended.bias, self.of_pooled.weight):
                nn.init.zeros_(solved)

    def forward(self, attended: Tensor) -> Tensor:
        """Class scores (n, classes) of what attention gives."""
        scores: Tensor = self.of_attended(self.dropout(attended))
        return scores


class ScoresBesidePooled(RecordedModule):
    """A network whose class scores are those of what attention gives and of pooled features."""

    head: Head

    def attended(self, *sequences: Tensor) -> Tensor:
        """What attention gives (n, d) of regions, their mask, tokens and theirs."""
        raise NotImplementedError

    def attention(self, *inputs: Tensor) -> Tensor:
        """Weights alpha (n, i, t) of pairs, which add up to 1 in each sample."""
        raise NotImplementedError

    def forward(self, *inputs: Tensor) -> Tensor:
        """Class scores (n, classes) from what SequenceAttention gives."""
        *sequences, pooled = inputs
        scores: Tensor = self.head(self.attended(*sequences))
        return scores if self.head.of_pooled is None else scores + self.head.of_pooled(pooled)


class OnTop(nn.Module):
    """A network that is trained on top of known scores of its pooled features."""

    def __init__(self, network: ScoresBesidePooled) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        """Class scores (n, classes) from sequences and the known scores (n, classes)."""
        *sequences, known = inputs
        scores: Tensor = known + self.network.head(self.network.attended(*sequences))
        return scores

    def finished(self, part: LinearPart | None) -> ScoresBesidePooled:
        """The network, with what the known scores came from; they were 0 where that is None."""
        head = self.network.head
        if part is not None:
            assert head.of_pooled is not None
            with torch.no_grad():
                head.of_pooled.weight.copy_(torch.from_numpy(part.weight))
                head.of_attended.bias.add_(torch.from_numpy(part.bias))
        return self.network


class Averaged(RecordedModule):
    """The mean of the class scores, and of the attention, of networks that differ in weights.

    Parameters
    ----------
    members : how many there are.
    arguments : what each is made with.
    """

    member: ClassVar[type[ScoresBesidePooled]]

    def __init__(self, members: int, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.members = nn.ModuleList(self.member(**arguments) for _ in range(members))

    @classmethod
    def holding(cls, networks: Sequence[ScoresBesidePooled]) -> Self:
        """The mean of these networks."""
        averaged = cls(0, networks[0].arguments)  # new ones would draw weights for nothing
        averaged.members.extend(networks)
        averaged.arguments["members"] = len(networks)
        return averaged.eval()

    def forward(self, *inputs: Tensor) -> Tensor:
        """Class scores (n, classes) from what SequenceAttention gives."""
        return torch.stack([network(*inputs) for network in self.members]).mean(dim=0)

    def attention(self, *inputs: Tensor) -> Tensor:
        """Weights alpha (n, i, t)."""
        weights = [network.attention(*inputs) for network in self.networks]
        return torch.stack(weights).mean(dim=0)

    @property
    def networks(self) -> Iterator[ScoresBesidePooled]:
        """Its members."""
        return (cast(ScoresBesidePooled, network) for network in self.members)


class PairAttention(ScoresBesidePooled):
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
        self.sequences = Sequences(
            regions, tokens, width, dropout, projection, multiplied=similarity == "dot"
        )
        first = FIRST_COSINE_SCALE if similarity == "cosine" else width**-0.5
        self.log_scale = nn.Parameter(
            torch.tensor(float(np.log(first))), requires_grad=similarity == "cosine"
        )
        self.head = Head(width, pooled, classes, dropout)

    def attended(self, *sequences: Tensor) -> Tensor:
        """See ScoresBesidePooled: v (n, width)."""
        return self._attend(sequences)[0]

    def attention(self, *inputs: Tensor) -> Tensor:
        """Weights alpha (n, i, t)."""
        return self._attend(inputs[:4])[1]

    def _attend(self, sequences: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        x, h, x_mask, h_mask = self.sequences(*sequences)
        return pair_attention(x, h, x_mask, h_mask, self.similarity, self.log_scale.exp())


class AveragedPairAttention(Averaged):
    """See Averaged."""

    member = PairAttention
