"""Prepared pictures as a network takes them."""

from __future__ import annotations

import torch
from torch import Tensor

from features.pictures.images import Preparation


def scale_and_shift(
    preparation: Preparation, where: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """What makes values of 0..255 those that the network was trained with: (1, 3, 1, 1) each, on a device."""
    mean, std = (
        torch.tensor(values, device=where).view(1, 3, 1, 1)
        for values in (preparation.mean, preparation.std)
    )
    return 1.0 / (255.0 * std), -mean / std


def network_inputs(pixels: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Float32 (b, 3, h, w) of uint8 pixels (b, h, w, 3): pixels * scale + shift."""
    # The transposed view of (b, h, w, 3) is a channels-last (b, 3, h, w): nothing is copied.
    return pixels.permute(0, 3, 1, 2).float().mul_(scale).add_(shift)
