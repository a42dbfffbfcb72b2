"""Blocks as dense ones, for networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from features.block import Block, BlockName
from models.preparation.principal_components import BlockReduction
from models.views import Views

# Components that stand for a sparse block, such as a bag of words.
SPARSE_COMPONENTS = 256


class DenseBlocks:
    """All blocks, a sparse one as its leading components, so that no wide array is made dense.

    Parameters
    ----------
    random_state : seed of the components.
    components : of a sparse block, at most.
    products : see BlockReduction.
    """

    def __init__(
        self, random_state: int, components: int = SPARSE_COMPONENTS, products: bool = False
    ) -> None:
        self._random_state, self._components, self._products = random_state, components, products

    def fit(self, views: Views) -> Self:
        """Learn the components of sparse blocks from the training samples."""
        self._reductions = {
            name: BlockReduction(self._components, self._random_state, self._products).fit(block)
            for name, block in views.blocks().items()
            if block.is_sparse
        }
        return self

    @property
    def reductions(self) -> Mapping[BlockName, BlockReduction]:
        """What makes sparse blocks dense, by their names, after `fit`."""
        return self._reductions

    def of(self, views: Views) -> dict[BlockName, Block]:
        """Dense blocks, pictures first."""
        return {name: self._reduced(name, block) for name, block in views.blocks().items()}

    def _reduced(self, name: BlockName, block: Block) -> Block:
        if name not in self._reductions:
            return block
        index = np.where(block.present, np.arange(len(block), dtype=np.int64), -1)
        return Block(self._reductions[name].transform(block), index)
