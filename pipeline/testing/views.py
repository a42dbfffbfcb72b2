"""Small synthetic views whose classes both modalities tell apart, and blocks that lack samples."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from scipy import sparse

from features.block import Block, Form, Modality, TrainableNetwork, Unfreeze
from features.encoder import Encoder
from models.views import Views

CLASSES = np.array(["apple", "boat", "cat"])


def labels(n: int = 60) -> np.ndarray:
    """Classes of n samples, in turn."""
    return CLASSES[np.arange(n) % len(CLASSES)]


def pooled(y: np.ndarray, width: int = 6, seed: int = 0, noise: float = 0.6) -> np.ndarray:
    """Rows (n, width) around one centre per class; the same centres for every seed."""
    centres = np.random.default_rng(99).normal(size=(len(CLASSES), width))
    rows = centres[np.searchsorted(CLASSES, y)] + noise * np.random.default_rng(seed).normal(
        size=(len(y), width)
    )
    return rows.astype(np.float32)


def sequence(
    y: np.ndarray, length: int = 4, width: int = 6, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences (n, length, width) of such rows, the last of some masked."""
    values = np.stack([pooled(y, width, seed + step) for step in range(length)], axis=1)
    mask = np.ones(values.shape[:2], dtype=bool)
    mask[::3, -1] = False
    return values, mask


def without(block: Block, rows: slice | np.ndarray) -> Block:
    """The block with the modality missing in some samples."""
    index = block.index.copy()
    index[rows] = -1
    return replace(block, index=index)


class Layers(Encoder):
    """A network of two layers from scratch that can be trained; its inputs are rows of numbers."""

    modality: ClassVar[Modality] = "image"
    version: ClassVar[int] = 1
    forms: ClassVar[dict[Form, str | None]] = {"pooled": "pooled", "inputs": "inputs"}

    def network(self, unfreeze: Unfreeze, inputs: Block) -> TrainableNetwork:
        """See Encoder."""
        from torch import nn

        from pipeline.testing.placed_network import PlacedNetwork

        layers = nn.Linear(inputs.width, 8), nn.ReLU(), nn.Linear(8, 7)
        return TrainableNetwork(PlacedNetwork(*layers), 7, False)


def views(form: str = "pooled", n: int = 60, seed: int = 0) -> tuple[Views, np.ndarray]:
    """Views of n samples and their labels.

    `form` is pooled, shared (of equal width, the same centres), sparse (texts as CSR), inputs or
    sequence.
    """
    y = labels(n)
    if form == "shared":
        return Views(Block.of(pooled(y, 6, seed)), Block.of(pooled(y, 6, seed + 50))), y
    if form == "sequence":
        return Views(Block.of(*sequence(y, 4, 6, seed)), Block.of(*sequence(y, 3, 5, seed + 50))), y
    text = pooled(y, 5, seed + 50)
    if form == "inputs":
        return Views(
            Block.of(pooled(y, 6, seed), encoder=Layers()), Block.of(text, encoder=Layers())
        ), y
    if form == "sparse":
        text = sparse.csr_matrix(np.where(np.abs(text) > 0.5, text, 0).astype(np.float32))
    return Views(Block.of(pooled(y, 6, seed)), Block.of(text)), y
