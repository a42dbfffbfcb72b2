"""Several blocks of a modality as the one input that a network takes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from features.block import BlockName, BoolArray, FloatArray, modality_of

Value = TypeVar("Value")


def of_modalities(by_block: Mapping[BlockName, Value]) -> list[list[Value]]:
    """The values of each modality's blocks, pictures first."""
    values: dict[str, list[Value]] = {}
    for name, value in by_block.items():
        values.setdefault(modality_of(name), []).append(value)
    return list(values.values())


def joined_sequences(
    parts: Sequence[tuple[FloatArray, BoolArray]]
) -> tuple[FloatArray, BoolArray]:
    """Sequences of m blocks as one: (n, t_1 + ... + t_m, c_1 + ... + c_m), and its mask.

    The vectors of a block have columns of their own, zeros in the others, so that one linear
    projection of all is a projection of each block to the same width.

    Parameters
    ----------
    parts : vectors (n, t_b, c_b) and mask (n, t_b) of each block.
    """
    if len(parts) == 1:
        return parts[0]
    widths = [vectors.shape[2] for vectors, _ in parts]
    apart = []
    for number, (vectors, _) in enumerate(parts):
        before, after = sum(widths[:number]), sum(widths[number + 1 :])
        apart.append(np.pad(vectors, ((0, 0), (0, 0), (before, after))))
    return np.concatenate(apart, axis=1), np.concatenate([mask for _, mask in parts], axis=1)


def joined_vectors(parts: Sequence[FloatArray]) -> FloatArray:
    """[x_1, ..., x_m] / sqrt(m) of m blocks (n, d_b) of one norm: equal shares of it."""
    return parts[0] if len(parts) == 1 else np.hstack(parts) / np.float32(np.sqrt(len(parts)))


def joined_weights(parts: Sequence[FloatArray]) -> FloatArray:
    """[W_1, ..., W_m] sqrt(m), which says of joined_vectors what W_b (K, d_b) say of m blocks."""
    return parts[0] if len(parts) == 1 else np.hstack(parts) * np.float32(np.sqrt(len(parts)))
