"""How picture networks are fine-tuned on a fold's training rows, and heads of frozen features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from features.block import Block, FloatArray
from features.encoder import Targets
from features.training.settings import History, Loss, Training

HIDDEN = 256  # units of the head's hidden layer
BATCH_SIZE = 128  # rows of stored features of one training step
PATIENCE = 3  # epochs without gain after which training stops
WEIGHT_DECAY = 0.01
HELD_OUT = 0.1  # share of the training rows that decides when to stop
SLOWER = 0.1  # learning rate of pretrained layers, of the new classifier's


class Finetune(BaseModel):
    """How a pretrained network learns from the training pictures of a fold.

    About a tenth of the training pictures decides when to stop and which epoch's weights are kept;
    the fold's scored pictures are never seen.

    Parameters
    ----------
    epochs : most passes over the training pictures.
    learning_rate : highest one of the new classifier; pretrained layers learn at a tenth of it.
    unfreeze : "head" trains a hidden layer of 256 units and a classifier on the frozen features;
        the hidden layer's values are the features then (of each position, for regions).
        "last_stage" trains the last quarter of the layers (most networks' last stage) and "all"
        every layer, under a linear classifier; batch normalisation keeps its statistics.
    loss : "cross_entropy" or "mse": see features.training.losses.logit_loss.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(20, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    unfreeze: Literal["head", "last_stage", "all"] = "head"
    loss: Loss = "cross_entropy"

    def training(self, batch_size: int, random_state: int) -> Training:
        """The same for the training loop."""
        return Training(
            self.epochs,
            PATIENCE,
            self.learning_rate,
            WEIGHT_DECAY,
            random_state,
            batch_size,
            HELD_OUT,
            schedule="one_cycle",
            precision="bfloat16",
        )

    @property
    def pretrained_learning_rate(self) -> float:
        """Highest learning rate of pretrained layers."""
        return self.learning_rate * SLOWER


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
    def learned(cls, features: Block, targets: Targets, how: Finetune, random_state: int) -> Head:
        """Train hidden layer and classifier on n samples and their augmented copies.

        Of sequences, the means are learned from.
        """
        import torch
        from torch import nn

        from features.training.batches import RowBatches, TrainingSamples
        from features.training.loop import train
        from features.training.losses import logit_loss

        rows = torch.from_numpy(_means(features.with_copies()))
        targets = _with_copies(targets, features.augmented)
        # Features of all sizes learn at the same rate.
        scale = float(rows.square().mean().sqrt()) or 1.0
        batches = RowBatches([rows / scale], BATCH_SIZE)
        width, classes = rows.shape[1], int(targets.labels.max()) + 1
        network, history = train(
            lambda: nn.Sequential(
                nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes)
            ),
            TrainingSamples(batches, targets.labels, targets.groups),
            logit_loss(how.loss),
            how.training(BATCH_SIZE, random_state),
        )
        weight, bias = (tensor.detach().numpy() for tensor in network[0].parameters())
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


def _with_copies(targets: Targets, copies: int) -> Targets:
    """Targets of samples and their augmented copies; those of one sample are a group at least."""
    if not copies:
        return targets
    groups = np.arange(len(targets.labels)) if targets.groups is None else targets.groups
    return Targets(np.tile(targets.labels, 1 + copies), np.tile(groups, 1 + copies))
