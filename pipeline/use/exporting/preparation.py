"""What blocks go through before a classifier, in PyTorch: see models.preparation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from features.block import BlockName
from models.preparation.principal_components import BlockReduction
from models.preparation.scaling import ReducedScaler, Scaler


class Features(NamedTuple):
    """Features of a block.

    Parameters
    ----------
    values : float32 (n, d), or (n, t, d) of sequences.
    has : bool (n,), which samples have the modality.
    mask : bool (n, t) of sequences, else None.
    """

    values: Tensor
    has: Tensor
    mask: Tensor | None = None


Given = Mapping[BlockName, Features]


def constant(values: Any) -> Tensor:
    """A tensor of an array's numbers."""
    return torch.from_numpy(np.array(values, copy=True))


def one_hot(columns: NDArray[Any], classes: NDArray[Any]) -> Tensor:
    """A matrix (L, K) by which values of some classes come to stand in their columns."""
    return constant(np.eye(len(classes))[columns])


class Reduced(nn.Module):
    """Principal components (n, k): see BlockReduction."""

    offset: Tensor
    basis: Tensor

    def __init__(self, reduction: BlockReduction) -> None:
        super().__init__()
        self.register_buffer("offset", constant(reduction.offset_ @ reduction.basis_))
        self.register_buffer("basis", constant(reduction.basis_))

    def forward(self, values: Tensor, has: Tensor) -> Tensor:
        """Zeros for samples without the modality."""
        return torch.where(has[:, None], values @ self.basis - self.offset, 0.0)


class Scaled(nn.Module):
    """Scaled rows (n, d), times a factor: see BlockScaler and ReducedScaler."""

    mean: Tensor
    scale: Tensor
    factor: Tensor

    def __init__(self, scaler: Scaler, factor: float = 1.0) -> None:
        super().__init__()
        reduction = scaler.reduction_ if isinstance(scaler, ReducedScaler) else None
        self.reduced = None if reduction is None else Reduced(reduction)
        of_rows = scaler.scaler_ if isinstance(scaler, ReducedScaler) else scaler
        mean = np.zeros(of_rows.width_, np.float32) if of_rows.mean_ is None else of_rows.mean_
        self.register_buffer("mean", constant(mean))
        self.register_buffer("scale", constant(of_rows.scale_))
        self.register_buffer("factor", constant(np.float32(factor)))

    def forward(self, values: Tensor, has: Tensor) -> Tensor:
        """Zeros for samples without the modality."""
        rows = values if self.reduced is None else self.reduced(values, has)
        return torch.where(has[:, None], (rows - self.mean) * self.scale, 0.0) * self.factor
