"""Points of samples in a shared space, where one modality may stand for the other."""

from __future__ import annotations

from typing import Literal

import numpy as np

from features.block import Block, FloatArray, Modality
from models.shared_space.projections import Projection
from models.views import Views

Sides = Literal["both", "image", "text"]
Join = Literal["concat", "mean"]


def sides_of(views: Views, sides: Sides) -> Views:
    """The same samples with the other modality marked missing."""
    if sides == "both":
        return views
    blocks = views.by_modality()
    hidden: Modality = "text" if sides == "image" else "image"
    block = blocks[hidden]
    blocks[hidden] = Block(block.values, np.full(len(block), -1, dtype=np.int64), block.mask)
    return Views(blocks["image"], blocks["text"], views.groups)


def points(projection: Projection, views: Views, join: Join) -> FloatArray:
    """Points of n samples: both modalities' side by side (n, 2 k), or their mean (n, k).

    A modality that a sample lacks is replaced by the other: in the shared space one stands for the
    other.
    """
    blocks = views.by_modality()
    image, text = (projection.project(modality, block) for modality, block in blocks.items())
    has_image, has_text = (block.present[:, None] for block in blocks.values())
    image, text = np.where(has_image, image, text), np.where(has_text, text, image)
    return np.hstack([image, text]) if join == "concat" else (image + text) / np.float32(2)
