"""Prepared pictures as a network takes them, how many at once, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from features.block import FloatArray
from features.pictures.preparation import Preparation

# Pixels of a batch on a CPU: eight pictures of 224 x 224. The maps of larger batches leave the
# processor's caches (on two cores 208 pictures/s in batches of 8, 148 in batches of 16 and 145 of
# 32).
CPU_PIXELS = 8 * 224 * 224


def scale_and_shift(
    preparation: Preparation, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Factor and summand, (1, 3, 1, 1) each, that normalise values of 0..255 for the network."""
    mean, std = (
        torch.tensor(values, device=device).view(1, 3, 1, 1)
        for values in (preparation.mean, preparation.std)
    )
    return 1.0 / (255.0 * std), -mean / std


def arrays_of(tensors: Mapping[str, Tensor]) -> dict[str, FloatArray]:
    """The same in the main memory, float32."""
    return {
        name: np.asarray(tensor.cpu().numpy(), dtype=np.float32)
        for name, tensor in tensors.items()
    }


def network_inputs(pixels: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Float32 (b, 3, h, w) of uint8 pixels (b, h, w, 3): pixels * scale + shift."""
    # (b, h, w, 3) transposed is a channels-last (b, 3, h, w): nothing is copied.
    return pixels.permute(0, 3, 1, 2).float().mul_(scale).add_(shift)
