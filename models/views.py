"""Views: the picture blocks and the text blocks of the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np
import scipy
from numpy.typing import NDArray

from features.block import Block, BlockName, FloatArray, Modality, modality_of


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
    further : what other encoders make of the same pictures or texts, by the blocks' names.
    """

    image: Block | None = None
    text: Block | None = None
    groups: NDArray[Any] | None = None
    further: Mapping[BlockName, Block] = field(default_factory=dict)

    @classmethod
    def of(cls, blocks: Mapping[BlockName, Block], groups: NDArray[Any] | None = None) -> Self:
        """Views of blocks by name."""
        further = dict(blocks)
        return cls(further.pop("image", None), further.pop("text", None), groups, further)

    def __post_init__(self) -> None:
        lengths = {len(block) for block in self.blocks().values()}
        if not lengths:
            raise ValueError("Views need at least one block")
        if len(lengths) > 1:
            raise ValueError(f"blocks of different lengths: {sorted(lengths)}")
        if self.groups is not None and len(self.groups) != len(self):
            raise ValueError(f"{len(self.groups)} groups for {len(self)} samples")

    def blocks(self) -> dict[BlockName, Block]:
        """The blocks that are there, pictures first."""
        pairs = (("image", self.image), ("text", self.text), *self.further.items())
        blocks = {name: block for name, block in pairs if block is not None}
        return {name: blocks[name] for name in sorted(blocks, key=modality_of)}

    def by_modality(self) -> dict[Modality, Block]:
        """The only block of each modality, pictures first; ValueError where one has several."""
        if self.further:
            raise ValueError(f"a single block of each modality is asked for: {list(self.blocks())}")
        return {modality_of(name): block for name, block in self.blocks().items()}

    def block_by_block(self) -> list[Views]:
        """Every block by itself, as the only one of its modality."""
        return [
            Views.of({modality_of(name): block}, self.groups)
            for name, block in self.blocks().items()
        ]

    def __len__(self) -> int:
        return len(next(iter(self.blocks().values())))

    @property
    def shape(self) -> tuple[int, int]:
        """(n, total width), for scikit-learn's checks."""
        return len(self), sum(block.width for block in self.blocks().values())

    def take(self, rows: NDArray[Any]) -> Views:
        """Views of the samples `rows` (positions or a boolean mask)."""
        groups = None if self.groups is None else self.groups[rows]
        return Views.of({name: block.take(rows) for name, block in self.blocks().items()}, groups)

    def complete(self) -> Views:
        """Those samples that lack no modality."""
        return self.take(np.all([block.present for block in self.blocks().values()], axis=0))

    def with_copies(self) -> Views:
        """The n samples as they are, then augmented copy 1 of each, and so on: n (1 + k) samples.

        A block without augmented copies is repeated.
        """
        times = 1 + max(block.augmented for block in self.blocks().values())
        if times == 1:
            return self
        rows = np.tile(np.arange(len(self)), times)
        return Views.of({name: block.with_copies() if block.augmented else block.take(rows)
                         for name, block in self.blocks().items()},
                        rows if self.groups is None else self.groups[rows])

    def for_prediction(self) -> Views:
        """What to predict of these samples: with copies where predictions are averaged."""
        return (
            self.with_copies() if any(block.averaged for block in self.blocks().values()) else self
        )


def stacked(first: Views, second: Views) -> Views:
    """The samples of two views with blocks of the same names, one after the other."""
    others = second.blocks()
    groups = (
        None
        if first.groups is None or second.groups is None
        else np.concatenate([first.groups, second.groups])
    )
    return Views.of(
        {name: _stacked(block, others[name]) for name, block in first.blocks().items()}, groups
    )


def _stacked(first: Block, second: Block) -> Block:
    if first.values is second.values:  # parts of one set of features: none are copied
        return replace(first, index=np.concatenate([first.index, second.index]))
    stack: Any = scipy.sparse.vstack if first.is_sparse else np.concatenate
    shifted = np.where(second.present, second.index + first.values.shape[0], -1)
    mask = (
        None
        if first.mask is None or second.mask is None
        else np.concatenate([first.mask, second.mask])
    )
    return Block(stack([first.values, second.values]), np.concatenate([first.index, shifted]), mask)
