"""Blocks brought to one scale: modalities weigh the same, and C means the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy
from numpy.typing import NDArray

from features.block import Block, BlockName, FloatArray, reading_order
from features.estimator import Estimator
from models.classifier import Array
from models.kept import RECENT
from models.preparation.principal_components import BlockReduction
from models.views import ScaledBlock, Views

# Measured with logistic regression on 1,300 rows of 6,000 columns: below one entry in five CSR is
# faster, above it the dense form, which then takes at most two and a half times the memory.
SPARSEST_DENSE = 5
LARGE, TILE = 2**28, 2**25  # bytes of dense samples that are read in tiles, and of a tile


class BlockScaler(Estimator):
    """Scales a pooled block so that the mean squared norm of its training rows is 1.

    Dense columns are centred first; sparse ones are not, to keep them sparse. Then one number
    scales the whole block. Columns keep their relative variances: dividing each by its own standard
    deviation was measured against this on OpenMoji and Flipkart (CNN, SBERT, GloVe; nested folds)
    and gave the same for texts and less for pictures (macro-F1 .626 against .633, log loss .93
    against .89 on OpenMoji).

    Samples without the modality are left out of the statistics and become rows of zeros, the mean
    of the training rows. A block that never varies becomes zeros.

    Attributes
    ----------
    mean_ : float32 (d,), or None for a sparse block.
    scale_ : what centred rows are multiplied by.
    width_ : number of columns that come out.
    """

    mean_: FloatArray | None
    scale_: np.float32
    width_: int

    def fit(self, block: Block) -> Self:
        """Learn mean and scale from the training samples of a block."""
        self.width_ = block.width
        if block.digest is None:  # to tell the values by themselves takes as long as this
            mean, power = _moments(block)
        else:
            mean, power = RECENT.arrays(
                ("moments", block.digest, block.index), lambda: _moments(block)
            )
        self.mean_ = None if block.is_sparse else mean
        self.scale_ = np.float32(1 / np.sqrt(power) if power > 0 else 0.0)
        return self

    def transform(self, block: Block) -> Array:
        """Scaled features (n, d), dense or CSR as the block is."""
        rows = block.array()
        if self.mean_ is None or scipy.sparse.issparse(rows):
            return scipy.sparse.csr_matrix(rows * self.scale_)
        rows -= self.mean_
        rows *= self.scale_
        rows[~block.present] = 0.0
        return rows


def _moments(block: Block) -> tuple[FloatArray, NDArray[np.float64]]:
    """Mean (d,) of the samples that are present, and their mean squared distance from it ().

    Sparse rows are not centred: zeros (d,), and the mean squared norm.
    """
    block = block.take(block.present)
    if not block.is_sparse and 4 * len(block) * block.width > LARGE:
        return _moments_by_tiles(block)
    rows = block.array()
    n = max(rows.shape[0], 1)
    if scipy.sparse.issparse(rows):
        return np.zeros(block.width, np.float32), np.asarray(
            np.square(rows.data, dtype=np.float64).sum() / n
        )
    # Summed in double precision, the mean of equal numbers is that number: they become exact zeros.
    mean = (rows.sum(axis=0, dtype=np.float64) / n).astype(np.float32)
    rows -= mean
    return mean, np.asarray(np.einsum("ij,ij->", rows, rows, dtype=np.float64) / n)


def _moments_by_tiles(block: Block) -> tuple[FloatArray, NDArray[np.float64]]:
    """The same for dense samples, a few of which are in memory at once."""
    step = max(1, TILE // (4 * block.width))
    order = reading_order(block.values, block.index)
    parts = [order[start : start + step] for start in range(0, len(block), step)]
    total = sum(block.take(part).array().sum(axis=0, dtype=np.float64) for part in parts)
    mean = np.asarray(total / len(block), dtype=np.float32)
    power = 0.0
    for part in parts:
        rows = block.take(part).array() - mean
        power += float(np.einsum("ij,ij->", rows, rows, dtype=np.float64))
    return mean, np.asarray(power / len(block))


@dataclass(eq=False, repr=False)
class ReducedScaler(Estimator):
    """Projects a block wider than `components` on its principal components, and scales these.

    Parameters
    ----------
    components : number of components kept (see BlockReduction); a block no wider is only scaled.

    Attributes
    ----------
    width_ : number of columns that come out.
    """

    components: int

    def fit(self, block: Block) -> Self:
        """Learn components, mean and scale from the training samples of a block."""
        self.reduction_ = (
            BlockReduction(self.components).fit(block) if block.width > self.components else None
        )
        self.scaler_ = BlockScaler().fit(self._reduced(block))
        self.width_ = self.scaler_.width_
        return self

    def transform(self, block: Block) -> Array:
        """Scaled components (n, k); where nothing was reduced, dense or CSR as the block is."""
        return self.scaler_.transform(self._reduced(block))

    def _reduced(self, block: Block) -> Block:
        if self.reduction_ is None:
            return block
        return Block(
            self.reduction_.transform(block), np.where(block.present, np.arange(len(block)), -1)
        )


Scaler = BlockScaler | ReducedScaler


def joined(parts: Sequence[Array]) -> Array:
    """Parts (n, d_1), (n, d_2) ... side by side (n, d_1 + d_2 + ...).

    Dense if all parts are, or if at least one entry in `SPARSEST_DENSE` is not zero; CSR otherwise.
    """
    if len(parts) == 1:
        return parts[0]
    if not any(scipy.sparse.issparse(part) for part in parts):
        return np.hstack(parts)
    entries = sum(int(np.prod(part.shape)) for part in parts)
    if sum(map(_stored, parts)) * SPARSEST_DENSE >= entries:
        return np.hstack(list(map(_dense, parts)))
    blocks = [scipy.sparse.csr_matrix(part) for part in parts]
    return scipy.sparse.csr_matrix(scipy.sparse.hstack(blocks))


def _stored(part: Array) -> int:
    return int(part.size if isinstance(part, np.ndarray) else part.nnz)


def _dense(part: Array) -> FloatArray:
    return part if isinstance(part, np.ndarray) else np.asarray(part.toarray())


def scaled_views(
    views: Views, scalers: Mapping[BlockName, Scaler], shares: Mapping[BlockName, float]
) -> Array:
    """Scaled blocks side by side, each multiplied by the square root of its share of the norm.

    Parameters
    ----------
    shares : of the squared norm, adding up to 1.
    """
    blocks = views.blocks()
    return joined([scaler.transform(blocks[name]) * np.float32(np.sqrt(shares[name]))
                   for name, scaler in scalers.items()])


def scaled_blocks(
    views: Views, scalers: Mapping[BlockName, Scaler], shares: Mapping[BlockName, float]
) -> tuple[ScaledBlock, ...] | None:
    """The same as blocks, and what is done to their rows.

    None where samples lack one, or where a block is more than scaled.
    """
    blocks, scaled = views.blocks(), []
    for name, scaler in scalers.items():
        block = blocks[name]
        if not (isinstance(scaler, BlockScaler) and scaler.scale_ > 0 and block.present.all()):
            return None
        factor = float(scaler.scale_ * np.sqrt(shares[name]))
        scaled.append(ScaledBlock(block, scaler.mean_, factor))
    return tuple(scaled)
