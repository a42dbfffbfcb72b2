"""How pretrained picture networks are fine-tuned on a fold's labelled training rows, and heads of frozen features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from features.block import Block, FloatArray, IntArray
from features.encoder import Targets

if TYPE_CHECKING:
    from torch import Tensor

    from features.training.loop import History, Training

HIDDEN = 256  # units of the head's hidden layer
ROWS = 128  # rows of stored features of one training step
PATIENCE = 3  # epochs without gain after which training stops
WEIGHT_DECAY = 0.01
SLOWER = 0.1  # learning rate of pretrained layers, of the new classifier's


class Finetune(BaseModel):
    """How a pretrained network learns from the training pictures of a fold.

    About a tenth of the training pictures decides when to stop and which epoch's weights are kept;
    the fold's scored pictures are never seen.

    Parameters
    ----------
    epochs : most passes over the training pictures.
    lr : highest learning rate of the new classifier; pretrained layers learn at a tenth of it.
    unfreeze : "head" trains a hidden layer of 256 units and a classifier on the frozen features;
        the hidden layer's values are the features then (of each position, for regions).
        "last_stage" trains the last quarter of the layers (most networks' last stage) and "all"
        every layer, under a linear classifier; batch normalisation keeps its statistics.
    loss : "cross_entropy" or "mse": see features.training.loop.Training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(20, ge=1)
    lr: float = Field(1e-3, gt=0)
    unfreeze: Literal["head", "last_stage", "all"] = "head"
    loss: Literal["cross_entropy", "mse"] = "cross_entropy"

    def training(self, layers: int, batch: int, seed: int) -> Training:
        """The same for the training loop, with a slower rate for every group of parameters behind the first."""
        from features.training.loop import Training

        rates = [self.lr, *[self.lr * SLOWER] * (layers - 1)]
        return Training(self.epochs, PATIENCE, rates, "adamw", WEIGHT_DECAY, self.loss, batch, seed)


@dataclass(frozen=True, eq=False)
class Head:
    """Hidden layer of a trained head: relu(x W + b) of features x, (m, d) or (m, t, d).

    Parameters
    ----------
    weight, bias : float32 (d, hidden) and (hidden,).
    history : losses of each epoch.
    """

    weight: FloatArray
    bias: FloatArray
    history: History

    @classmethod
    def learned(cls, features: Block, targets: Targets, how: Finetune, seed: int) -> Head:
        """Train hidden layer and classifier on n samples' features (means of sequences) and their views."""
        import torch
        from torch import nn

        from features.training.loop import device, train

        rows, targets = (
            torch.from_numpy(_means(features.with_copies())),
            _with_views(targets, features.augmented),
        )
        # Features of all sizes learn at the same rate.
        scale = float(rows.square().mean().sqrt()) or 1.0

        def inputs(places: IntArray, epoch: int | None) -> Iterator[tuple[Tensor, IntArray]]:
            for start in range(0, len(places), ROWS):
                some = places[start:start + ROWS]
                yield (rows[torch.from_numpy(some)] / scale).to(device()), some

        with torch.random.fork_rng([device()] if device().type == "cuda" else []):
            torch.manual_seed(seed)
            hidden = nn.Linear(rows.shape[1], HIDDEN)
            net = nn.Sequential(
                hidden, nn.ReLU(), nn.Linear(HIDDEN, int(targets.labels.max()) + 1)
            ).to(device())
            history = train(
                net, [{"params": net.parameters()}], inputs, targets, how.training(1, ROWS, seed)
            )
        weight, bias = (
            tensor.detach().float().cpu().numpy() for tensor in (hidden.weight, hidden.bias)
        )
        return cls(np.ascontiguousarray(weight.T / np.float32(scale)), bias, history)

    def __call__(self, features: Block) -> Block:
        """The hidden layer's values for every sample, or for every position of a sequence."""
        values = np.maximum(np.asarray(features.values) @ self.weight + self.bias, 0)
        return Block(
            values.astype(np.float32),
            features.index,
            features.mask,
            features.augmented,
            features.averaged,
        )


def _means(block: Block) -> FloatArray:
    """Pooled features (n, d), or the mean of each sequence."""
    if not block.is_sequence:
        return np.asarray(block.array(), dtype=np.float32)
    values, mask = block.sequence()
    return np.asarray(
        values.sum(axis=1) / np.maximum(mask.sum(axis=1, keepdims=True), 1), dtype=np.float32
    )


def _with_views(targets: Targets, augmented: int) -> Targets:
    """Targets of samples and their views; what belongs to one sample is a group at least."""
    if not augmented:
        return targets
    groups = np.arange(len(targets.labels)) if targets.groups is None else targets.groups
    return Targets(np.tile(targets.labels, 1 + augmented), np.tile(groups, 1 + augmented))
