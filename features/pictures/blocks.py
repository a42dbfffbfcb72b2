"""Blocks of pictures: what a network gives for them, and what it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from features.block import Block, FloatArray, HasNetwork
from features.pictures.preparation import Preparation, batches

PREPARED_AT_ONCE = 64  # pictures


def picture_block(values: FloatArray) -> Block:
    """Pooled vectors (m, d), or regions (m, t, d), all of them there."""
    return Block.of(values, np.ones(values.shape[:2], dtype=bool) if values.ndim == 3 else None)


def no_pictures(
    shapes: Mapping[str, tuple[int, ...]], names: Sequence[str]
) -> dict[str | None, Block]:
    """Empty blocks (0, ...) of outputs by their names, for no picture at all."""
    return {name: picture_block(np.empty((0, *shapes[name]), dtype=np.float32)) for name in names}


def pixel_blocks(
    pictures: Sequence[bytes], preparation: Preparation, encoder: HasNetwork
) -> Iterator[Block]:
    """Prepared pictures, uint8 (b, size, size, 3), some at a time; at least one block.

    Raises
    ------
    features.pictures.decoding.UnreadablePicture
        For a file that does not decode, naming its position.
    """
    if not len(pictures):
        side = preparation.size
        yield Block.of(np.zeros((0, side, side, 3), dtype=np.uint8), encoder=encoder)
    for _, pixels in batches(pictures, preparation, PREPARED_AT_ONCE):
        yield Block.of(pixels, encoder=encoder)
