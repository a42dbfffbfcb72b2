"""The contrastive projection's network in PyTorch; imported only when one is built."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.neural.losses import at_least_single

# From .07, where CLIP starts, the few pairs of a small data set are overfitted before the maps have
# turned to each other: in the three classes of pipeline.testing.views, texts then got .66 from a
# classifier of pictures; from .3, 1.
FIRST_TEMPERATURE, LEAST_TEMPERATURE = 0.3, 0.01


class TwoMaps(nn.Module):
    """A linear map of each modality into one space, and a temperature.

    See models.shared_space.contrastive.
    """

    def __init__(self, pictures: int, texts: int, dimensions: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        # Without offsets: the features are centred, and what is missing stays at the origin.
        self.of_picture = nn.Linear(pictures, dimensions, bias=False)
        self.of_text = nn.Linear(texts, dimensions, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(FIRST_TEMPERATURE)))

    def scale(self) -> Tensor:
        """1 / tau."""
        return self.log_scale.exp().clamp(max=1 / LEAST_TEMPERATURE)

    def forward(self, x: Tensor, y: Tensor, picture: Tensor, text: Tensor) -> Tensor:
        """Scores s (m, m) of all pictures x (m, p) with all texts y (m, q).

        They are -inf off the diagonal where two of the m samples have the same `picture` (m,) or
        `text` (m,).
        """
        a = functional.normalize(at_least_single(self.of_picture(self.dropout(x))), dim=1)
        b = functional.normalize(at_least_single(self.of_text(self.dropout(y))), dim=1)
        same = (picture[:, None] == picture) | (text[:, None] == text)
        same.fill_diagonal_(False)
        return (self.scale() * (a @ b.T)).masked_fill(same, -torch.inf)


def info_nce(scores: Tensor) -> Tensor:
    """Symmetric InfoNCE of scores (m, m) whose diagonal are the pairs.

    The mean over rows and over columns.
    """
    diagonal = torch.arange(len(scores), device=scores.device)
    scores = at_least_single(scores)
    of_pictures = functional.cross_entropy(scores, diagonal)
    return (of_pictures + functional.cross_entropy(scores.T, diagonal)) / 2
