"""Two encoders and co-training's branches as one network; imported only when one is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import Parameter

from features.block import Block, IntArray, TrainableNetwork, Unfreeze
from features.training.batches import Batch, RowBatches, applied
from models.neural.fusion import POOLED_NORM
from models.neural.pooled_network import Branches, TwoBranches
from models.preparation.scaling import BlockScaler

SCALED_BY = 512  # training samples whose features centre and scale all
# Rows of a step for each of its pictures, in the mean, at most.
MOST_ROWS = 16


class Stored:
    """Inputs (n, ...) of n samples, read from their block when they are encoded.

    See features.training.batches.Rowwise, but that some rows are stored inputs, too: which of them
    are the same is known until they are read. They stay in the main memory; the encoder's network
    brings them to its device, after it has changed them.
    """

    def __init__(self, block: Block) -> None:
        self.block = block

    def __len__(self) -> int:
        return len(self.block)

    def __getitem__(self, rows: Any) -> Stored:
        """Some rows."""
        return Stored(self.block.take(rows if isinstance(rows, slice) else rows.cpu().numpy()))

    def distinct(self) -> tuple[Tensor, Tensor | slice]:
        """The distinct inputs (m, ...), in the order of their first rows, and which each row has.

        Zeros stand for a sample that is missing.
        """
        rank = first_ranks(self.block.index)
        first = np.unique(rank, return_index=True)[1]
        inputs = torch.from_numpy(np.ascontiguousarray(self.block.take(first).array()))
        return inputs, slice(None) if len(first) == len(self) else torch.from_numpy(rank)

    def to(self, where: torch.device) -> Stored:
        """Itself."""
        return self


def first_ranks(values: IntArray) -> IntArray:
    """Number the distinct ones of n values by their first occurrence: (n,)."""
    _, first, of_value = np.unique(values, return_index=True, return_inverse=True)
    ranks = np.empty(len(first), dtype=np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    return ranks[of_value]


class PictureBatches(RowBatches):
    """Batches in which the rows of a picture stand together, so that it is encoded once for them.

    A step takes `batch_size` pictures with all their rows; where these are more than MOST_ROWS for
    each picture, they are parted evenly. Where no two rows share a picture, batches are those of
    RowBatches. With ten questions a picture (easy-VQA) an epoch takes a fifth of the time: see
    benchmarks/RESULTS.md, "Visual question answering".

    Parameters
    ----------
    inputs : see RowBatches.
    pictures : int (n,), which picture each sample has; -1 where it has none.
    batch_size : pictures of one step of training; a sample without any counts as one.
    """

    def __init__(self, inputs: Sequence[Any], pictures: IntArray, batch_size: int) -> None:
        super().__init__(inputs, batch_size)
        missing = pictures < 0
        self._pictures = np.where(missing, -1 - np.arange(len(pictures)), pictures)

    def __call__(self, rows: IntArray, epoch: int | None) -> Iterator[Batch]:
        """See features.training.batches.Batches; rows of a picture come with its first one."""
        ranks = first_ranks(self._pictures[rows])
        order = np.argsort(ranks, kind="stable")
        if epoch is None:
            yield from super().__call__(rows[order], None)
            return
        steps = ranks[order] // self._batch_size
        for step in np.split(rows[order], np.flatnonzero(np.diff(steps)) + 1):
            parts = -(-len(step) // (MOST_ROWS * self._batch_size))
            for part in np.array_split(step, max(parts, 1)):
                positions = torch.from_numpy(part).to(self._device)
                yield self._batch(positions)


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

    def forward(self, inputs: Stored) -> Tensor:
        """Features of inputs (n, ...), the same ones computed once."""
        rows, of_row = inputs.distinct()
        features: Tensor = self.network(rows)
        scaled = (features.float() - self.mean) * self.scale
        return scaled[of_row]

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

    def _encoded(self, modality: str, inputs: Any, there: Tensor) -> Tensor:
        """Features (n, d); zeros where a sample has none, which is not encoded."""
        if modality not in self.encoders:
            features_given: Tensor = inputs
            return features_given
        encoder: Any = self.encoders[modality]
        features = torch.zeros(len(there), encoder.width, device=there.device)
        if bool(there.any()):
            features[there] = encoder(inputs[there.cpu()])
        return features


def _trained(module: nn.Module) -> list[Parameter]:
    return [weight for weight in module.parameters() if weight.requires_grad]
