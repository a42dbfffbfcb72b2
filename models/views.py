"""Views: the picture block and the text block of the same samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from features.block import Block, FloatArray, Modality


class ScaledBlock(NamedTuple):
    """A block without missing samples, of which a model gets the rows (x - mean) * factor.

    Parameters
    ----------
    mean : float32 (d,), or None where nothing is subtracted (CSR blocks).
    """

    block: Block
    mean: FloatArray | None
    factor: float


class BlocksFit(NamedTuple):
    """One training set as scaled blocks, and the blocks of the samples to predict from it."""

    train: tuple[ScaledBlock, ...]
    y: NDArray[Any]
    test: tuple[Block, ...]


@dataclass(frozen=True, eq=False)
class Views:
    """Both modalities of n samples, sliceable without copying features.

    Parameters
    ----------
    image, text : Block of n samples, or None where a model does not use that modality.
    groups : (n,) what group each sample belongs to, where that is known: a model that holds samples
        out of its training samples holds out whole groups. Augmented copies of one sample are a
        group at least.
    """

    image: Block | None = None
    text: Block | None = None
    groups: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        lengths = {len(block) for block in self.blocks().values()}
        if not lengths:
            raise ValueError("Views need at least one block")
        if len(lengths) > 1:
            raise ValueError(f"blocks of different lengths: {sorted(lengths)}")
        if self.groups is not None and len(self.groups) != len(self):
            raise ValueError(f"{len(self.groups)} groups for {len(self)} samples")

    def blocks(self) -> dict[Modality, Block]:
        """The blocks that are there, pictures first."""
        pairs: tuple[tuple[Modality, Block | None], ...] = (
            ("image", self.image),
            ("text", self.text),
        )
        return {modality: block for modality, block in pairs if block is not None}

    def __len__(self) -> int:
        return len(next(iter(self.blocks().values())))

    @property
    def shape(self) -> tuple[int, int]:
        """(n, total width), for scikit-learn's checks."""
        return len(self), sum(block.width for block in self.blocks().values())

    def take(self, rows: NDArray[Any]) -> Views:
        """Views of the samples `rows` (positions or a boolean mask)."""
        groups = None if self.groups is None else self.groups[rows]
        return Views(
            **{modality: block.take(rows) for modality, block in self.blocks().items()},
            groups=groups,
        )

    def complete(self) -> Views:
        """Those samples that lack no modality."""
        return self.take(np.all([block.present for block in self.blocks().values()], axis=0))

    def with_copies(self) -> Views:
        """The n samples as they are, then augmented copy 1 of each, and so on: n (1 + k) samples.

        A modality without augmented copies is repeated.
        """
        times = 1 + max(block.augmented for block in self.blocks().values())
        if times == 1:
            return self
        rows = np.tile(np.arange(len(self)), times)
        return Views(**{modality: block.with_copies() if block.augmented else block.take(rows)
                        for modality, block in self.blocks().items()},
                     groups=rows if self.groups is None else self.groups[rows])

    def for_prediction(self) -> Views:
        """What to predict of these samples: with copies where predictions are averaged."""
        return (
            self.with_copies() if any(block.averaged for block in self.blocks().values()) else self
        )


def stacked(first: Views, second: Views) -> Views:
    """The samples of two views with the same modalities, one after the other."""
    others = second.blocks()
    groups = (
        None
        if first.groups is None or second.groups is None
        else np.concatenate([first.groups, second.groups])
    )
    return Views(
        **{
            modality: _stacked(block, others[modality])
            for modality, block in first.blocks().items()
        },
        groups=groups,
    )


def _stacked(first: Block, second: Block) -> Block:
    if first.values is second.values:  # parts of one set of features: none are copied
        return replace(first, index=np.concatenate([first.index, second.index]))
    stack: Any = sparse.vstack if first.is_sparse else np.concatenate
    shifted = np.where(second.present, second.index + first.values.shape[0], -1)
    mask = (
        None
        if first.mask is None or second.mask is None
        else np.concatenate([first.mask, second.mask])
    )
    return Block(stack([first.values, second.values]), np.concatenate([first.index, shifted]), mask)
