"""Two encoders and co-training's branches as one network; imported only when one is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import Parameter

from features.block import Block, TrainableNetwork, Unfreeze
from features.training.batches import applied
from models.neural.fusion import POOLED_NORM
from models.neural.pooled_network import Branches, TwoBranches
from models.preparation.scaling import BlockScaler

SCALED_BY = 512  # training samples whose features centre and scale all


class Stored:
    """Inputs (n, ...) of n samples, read from their block when they are asked for.

    See features.training.batches.Rowwise.
    Rows stay in the main memory; the encoder's network brings them to its device, after it has
    changed them.
    """

    def __init__(self, block: Block) -> None:
        self.block = block

    def __len__(self) -> int:
        return len(self.block)

    def __getitem__(self, rows: Any) -> Tensor:
        """Some rows; zeros for a sample that is missing."""
        positions = np.arange(len(self))[rows if isinstance(rows, slice) else rows.cpu().numpy()]
        return torch.from_numpy(np.ascontiguousarray(self.block.take(positions).array()))

    def to(self, where: torch.device) -> Stored:
        """Itself."""
        return self


class Encoded(nn.Module):
    """Centred and scaled features (n, d) of an encoder's network."""

    mean: Tensor
    scale: Tensor

    def __init__(self, network: TrainableNetwork) -> None:
        super().__init__()
        self.network, self.width, self.pretrained = (
            network.module,
            network.width,
            network.pretrained,
        )
        self.register_buffer("mean", torch.zeros(network.width))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, inputs: Tensor) -> Tensor:
        """Features of inputs (n, ...)."""
        features: Tensor = self.network(inputs)
        return (features.float() - self.mean) * self.scale

    def start_at(self, features: Tensor) -> None:
        """Centre and scale as the features of other blocks are."""
        scaler = BlockScaler().fit(Block.of(features.numpy()))
        self.mean.copy_(torch.as_tensor(scaler.mean_))
        self.scale.fill_(float(scaler.scale_ * POOLED_NORM))


def encoder_of(block: Block, unfreeze: Unfreeze) -> Encoded:
    """The network behind a block of inputs, its features scaled where it comes with weights."""
    assert block.encoder is not None
    encoded = Encoded(block.encoder.network(unfreeze, block))
    present = block.take(block.present)
    if encoded.pretrained and len(present):
        some = np.unique(np.linspace(0, len(present) - 1, SCALED_BY).astype(np.int64))
        encoded.start_at(applied(encoded.eval(), [Stored(present.take(some))]))
    return encoded


class EncodersAndBranches(nn.Module):
    """Encoders of one modality or both, and co-training's branches on their features.

    Parameters
    ----------
    encoders : by modality; one that is not there is given as features.
    """

    def __init__(self, encoders: Mapping[str, Encoded], branches: TwoBranches) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(dict(encoders))
        self.branches = branches

    def forward(self, *inputs: Any) -> Branches:
        """All scores from pictures, which are there, texts, and which are there."""
        x, has_x, y, has_y = inputs
        scores: Branches = self.branches(
            self._encoded("image", x, has_x), has_x, self._encoded("text", y, has_y), has_y
        )
        return scores

    def fused_features(self, *inputs: Tensor) -> Tensor:
        """Class scores (n, K) of the fused head, from features in place of pictures and texts."""
        return self.branches.fused(*inputs)

    def trained_parameters(self) -> tuple[list[Parameter], list[Parameter]]:
        """Those of pretrained encoders, and all others."""
        pretrained: list[Parameter] = []
        for encoder in self.encoders.values():
            if encoder.pretrained:
                pretrained += _trained(encoder)
        known = set(map(id, pretrained))
        return pretrained, [weight for weight in _trained(self) if id(weight) not in known]

    def _encoded(self, modality: str, inputs: Tensor, there: Tensor) -> Tensor:
        """Features (n, d); zeros where a sample has none, which is not encoded."""
        if modality not in self.encoders:
            return inputs
        encoder: Any = self.encoders[modality]
        features = torch.zeros(len(there), encoder.width, device=there.device)
        if bool(there.any()):
            features[there] = encoder(inputs[there.cpu()])
        return features


def _trained(module: nn.Module) -> list[Parameter]:
    return [weight for weight in module.parameters() if weight.requires_grad]
