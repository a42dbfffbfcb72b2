"""Networks over pooled features in PyTorch; imported only when one is built."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from features.training.dropout import Dropout
from features.training.loop import Objective
from features.training.recorded import RecordedModule
from models.neural.losses import at_least_single

Interaction = Literal["none", "product"]


class Missing(nn.Module):
    """A learned vector for each modality, in place of features that are missing.

    In training it also takes the place of one modality of a share of the samples that have both
    (modality dropout; Neverova et al. 2016, ModDrop).
    """

    def __init__(self, pictures: int, texts: int, dropout: float) -> None:
        super().__init__()
        self.no_picture = nn.Parameter(torch.zeros(pictures))
        self.no_text = nn.Parameter(torch.zeros(texts))
        self.dropout = dropout

    def forward(self, x: Tensor, has_x: Tensor, y: Tensor, has_y: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, d) and (n, e) of pictures and texts, complete."""
        has_x, has_y = self.left(has_x, has_y)
        return (torch.where(has_x[:, None], x, self.no_picture.to(x.dtype)),
                torch.where(has_y[:, None], y, self.no_text.to(y.dtype)))

    def left(self, has_x: Tensor, has_y: Tensor) -> tuple[Tensor, Tensor]:
        """Which samples (n,) have a picture and a text, less those that modality dropout takes."""
        if not (self.training and self.dropout):
            return has_x, has_y
        drawn = torch.rand(len(has_x), device=has_x.device)
        both = has_x & has_y
        return (has_x & ~(both & (drawn < self.dropout / 2)),
                has_y & ~(both & (drawn > 1 - self.dropout / 2)))


class GatedUnit(RecordedModule):
    """Gated multimodal unit and a linear classifier; see models.neural.gated.

    In training, what stands for missing features goes through the layers by itself, once for all
    samples: the gradient to the features, which nobody asks for, would take a third of a step.
    """

    def __init__(
        self,
        pictures: int,
        texts: int,
        classes: int,
        width: int,
        dropout: float,
        modality_dropout: float,
    ) -> None:
        super().__init__()
        self.missing = Missing(pictures, texts, modality_dropout)
        self.dropout = Dropout(dropout)
        self.of_picture, self.of_text = nn.Linear(pictures, width), nn.Linear(texts, width)
        self.gate = nn.Linear(pictures + texts, width)
        self.head = nn.Linear(width, classes)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Class scores (n, classes) from pictures, which are there, texts, and which are there."""
        layers = self._trained_layers if self.training else self._layers
        a, b, z = layers(*inputs)
        unit = torch.lerp(b.tanh(), a.tanh(), z.sigmoid())
        scores: Tensor = self.head(self.dropout(unit))
        return scores

    def attention(self, *inputs: Tensor) -> Tensor:
        """Weights (n, 2) of the picture and of the text."""
        of_picture = self._layers(*inputs)[2].sigmoid().mean(dim=1)
        return torch.stack([of_picture, 1 - of_picture], dim=1)

    def _layers(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """W_a x, W_b y and W_z [x, y], (n, width) each."""
        x, y = self.missing(*inputs)
        return self.of_picture(x), self.of_text(y), self.gate(torch.cat([x, y], dim=1))

    def _trained_layers(
        self, x: Tensor, has_x: Tensor, y: Tensor, has_y: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The same, with dropout of features, but not of what stands for them."""
        of_x, of_y = slice(x.shape[1]), slice(x.shape[1], None)
        has_x, has_y = (there[:, None].to(x.dtype) for there in self.missing.left(has_x, has_y))
        rows = self.dropout(torch.cat([x, y], dim=1))
        rows[:, of_x] *= has_x
        rows[:, of_y] *= has_y
        no_x, no_y = self.missing.no_picture, self.missing.no_text
        no_both = torch.stack([
            functional.pad(no_x, (0, len(no_y))), functional.pad(no_y, (len(no_x), 0))
        ])
        lacking = 1 - torch.cat([has_x, has_y], dim=1)
        return (
            _beside(self.of_picture, rows[:, of_x], lacking[:, :1], no_x[None]),
            _beside(self.of_text, rows[:, of_y], lacking[:, 1:], no_y[None]),
            _beside(self.gate, rows, lacking, no_both),
        )


def _beside(layer: nn.Linear, rows: Tensor, shares: Tensor, learned: Tensor) -> Tensor:
    """The layer (n, w) of `rows` (n, d) + `shares` (n, m) @ `learned` (m, d), which is not made."""
    return torch.addmm(layer(rows), shares, functional.linear(learned, layer.weight))


class Product(nn.Module):
    """tanh(U a) * tanh(V b), elementwise (n, width): low-rank bilinear (Kim et al. 2017)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.of_a, self.of_b = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """The product of hidden layers a and b (n, width)."""
        product: Tensor = self.of_a(a).tanh() * self.of_b(b).tanh()
        return product


class Branches(NamedTuple):
    """Class scores (n, K) of the fused head and of each branch.

    And, bool (n,), which samples have the branch's modality.
    """

    fused: Tensor
    picture: Tensor
    text: Tensor
    has_picture: Tensor
    has_text: Tensor


class TwoBranches(RecordedModule):
    """A hidden layer and a classifier for each modality, and a classifier over both layers.

    With interaction "product" the latter also sees tanh(U a) * tanh(V b); see CoTraining.
    """

    def __init__(
        self,
        pictures: int,
        texts: int,
        classes: int,
        width: int,
        dropout: float,
        modality_dropout: float,
        interaction: Interaction = "none",
    ) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.of_picture, self.of_text = nn.Linear(pictures, width), nn.Linear(texts, width)
        self.missing = Missing(width, width, modality_dropout)
        self.picture_head, self.text_head = nn.Linear(width, classes), nn.Linear(width, classes)
        self.product = Product(width) if interaction == "product" else None
        self.fused_head = nn.Linear((3 if self.product else 2) * width, classes)

    def forward(self, *inputs: Tensor) -> Branches:
        """All scores from pictures, which are there, texts, and which are there."""
        x, has_x, y, has_y = inputs
        a = self.dropout(self.of_picture(self.dropout(x)).relu())
        b = self.dropout(self.of_text(self.dropout(y)).relu())
        complete: tuple[Tensor, ...] = self.missing(a, has_x, b, has_y)
        if self.product is not None:
            complete = (*complete, self.product(*complete))
        fused = self.fused_head(torch.cat(complete, dim=1))
        return Branches(fused, self.picture_head(a), self.text_head(b), has_x, has_y)

    def fused(self, *inputs: Tensor) -> Tensor:
        """Class scores (n, classes) of the fused head."""
        return self(*inputs).fused  # type: ignore[no-any-return]


def co_training_loss(
    loss_of_rows: Objective, branch_weight: float, agreement: float
) -> Objective:
    """Mean over samples of the loss of CoTraining, from the loss of each row of scores."""

    def mean_loss(scores: Branches, codes: Tensor) -> Tensor:
        branches = (
            loss_of_rows(scores.picture, codes) * scores.has_picture
            + loss_of_rows(scores.text, codes) * scores.has_text
        )
        total = loss_of_rows(scores.fused, codes) + branch_weight * branches
        if agreement:
            total = total + agreement * divergence(scores.picture, scores.text) * (
                scores.has_picture & scores.has_text
            )
        return total.mean()

    return mean_loss


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """(KL(p, q) + KL(q, p)) / 2 of each row's softmax p and q: (n,).

    It equals sum_k (p_k - q_k) (log p_k - log q_k) / 2.
    """
    p, q = (functional.log_softmax(at_least_single(scores), dim=1) for scores in (first, second))
    return ((p.exp() - q.exp()) * (p - q)).sum(dim=1) / 2
