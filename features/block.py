"""Block: one modality's features for a set of samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Modality = Literal["image", "text"]
# "image" and "text"; where a modality has several blocks, those after the first are "text_2" and
# so on.
BlockName: TypeAlias = str
Form = Literal["pooled", "sequence", "inputs"]
Unfreeze = Literal["last_stage", "all"]
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class TrainableNetwork(NamedTuple):
    """The network behind an encoder, to be trained further with what is built on its features.

    Parameters
    ----------
    module : gives the pooled features (b, d) of inputs (b, ...), a tensor in the main memory; they
        come out on the module's own device. What shall be trained requires gradients. While it
        trains it may change its inputs at random (torch's random state decides); in evaluation mode
        each row is by itself, and a few rows at a time are computed, so that memory is bounded.
    width : d.
    pretrained : whether it comes with weights; else they are drawn from torch's random state.
    """

    module: nn.Module
    width: int
    pretrained: bool


class HasNetwork(Protocol):
    """What a block of inputs knows of the encoder that prepared them: that it has a network."""

    def network(self, unfreeze: Unfreeze, inputs: Block) -> TrainableNetwork:
        """See features.encoder.Encoder.network."""
        ...


class RowsOnDisk(Protocol):
    """An array (m, ...) float32 that is not in memory: rows are read when they are taken."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.float32]

    def __len__(self) -> int:
        """See numpy.ndarray."""
        ...

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        """Copies of the rows at positions, of a mask or a slice."""
        ...

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All rows, in memory."""
        ...

    def reading_order(self, rows: IntArray) -> IntArray:
        """An order (n,) of the positions `rows` (n,) in which they are read fastest."""
        ...


@dataclass(frozen=True, eq=False)
class Block:
    """Features of one modality for n samples.

    Identical samples are encoded once, so `values` holds the m distinct ones and `index` says which
    of them each sample is. Slicing moves only the index: memory-mapped values stay on disk. Behind
    the m plain ones, `values` may hold augmented copies of them, which nothing sees unless it asks
    for the copies.

    Parameters
    ----------
    values : float32 (m, d), CSR float32 (m, d), or float32 (m, t, d)
        Pooled vectors, sparse vectors, or sequences (picture regions, text tokens). With `encoder`,
        what its network takes instead, of any type: pixels (m, h, w, 3), or numbers of tokens (m,
        t).
    index : int64 (n,)
        Row of `values` for each sample; -1 where the sample lacks this modality.
    mask : bool (m, t), optional
        Sequences only: True where a region or token exists.
    augmented : k
        Augmented copies of each sample: `values` (and `mask`) then have m (1 + k) rows, first the m
        plain ones, then copy 1 of each, and so on.
    averaged : whether predictions are averaged over the plain sample and its copies.
    encoder : whose network takes the values; None for features.
    digest : tells the values by their content, where that is known: they are equal where it is.
    columns : names of the columns, where these depend on the samples; `joined` goes by them.
    """

    values: NDArray[Any] | scipy.sparse.csr_matrix | RowsOnDisk
    index: IntArray
    mask: BoolArray | None = None
    augmented: int = 0
    averaged: bool = False
    encoder: HasNetwork | None = None
    digest: str | None = None
    columns: Sequence[str] | None = None

    @classmethod
    def of(
        cls,
        values: NDArray[Any] | scipy.sparse.csr_matrix | RowsOnDisk,
        mask: BoolArray | None = None,
        encoder: HasNetwork | None = None,
        columns: Sequence[str] | None = None,
    ) -> Block:
        """Block whose samples are the rows of `values`, one by one."""
        index = np.arange(values.shape[0], dtype=np.int64)
        return cls(values, index, mask, encoder=encoder, columns=columns)

    def __post_init__(self) -> None:
        if self.values.dtype != np.float32 and self.encoder is None:
            raise TypeError(f"Block values must be float32, not {self.values.dtype}")
        if (self.mask is not None) != self.is_sequence:
            raise ValueError(
                "a sequence block needs a mask (m, t), and only a sequence block has one"
            )
        if self.mask is not None and self.mask.shape != self.values.shape[:2]:
            raise ValueError(f"mask {self.mask.shape} does not fit values {self.values.shape}")

    def __len__(self) -> int:
        return int(self.index.shape[0])

    @property
    def is_sparse(self) -> bool:
        """Whether the values are a CSR matrix."""
        return bool(scipy.sparse.issparse(self.values))

    @property
    def is_sequence(self) -> bool:
        """Whether each sample is a sequence of vectors."""
        return len(self.values.shape) == 3

    @property
    def width(self) -> int:
        """Dimension d of the vectors."""
        return int(self.values.shape[-1])

    @property
    def present(self) -> BoolArray:
        """Bool (n,): which samples have this modality."""
        return self.index >= 0

    def take(self, rows: NDArray[Any] | slice) -> Block:
        """Block of the samples `rows` (positions, a boolean mask or a slice), copying nothing."""
        return replace(self, index=self.index[rows])

    def at(self, positions: IntArray) -> Block:
        """Block whose samples are these rows of `values`, one by one; none is missing."""
        return replace(self, index=positions)

    def with_copies(self) -> Block:
        """Block of the n samples as they are, then copy 1 of each, and so on: n (1 + k) samples."""
        plain = self.values.shape[0] // (1 + self.augmented)
        rows = [
            np.where(self.present, self.index + copy * plain, -1)
            for copy in range(1 + self.augmented)
        ]
        return Block(
            self.values, np.concatenate(rows), self.mask, encoder=self.encoder, digest=self.digest
        )

    def array(self) -> Any:
        """Pooled features (n, d), dense or CSR, or inputs (n, ...); zeros for a missing sample.

        Raises
        ------
        TypeError
            For a sequence block, which has no single vector per sample.
        """
        if self.is_sequence:
            raise TypeError("a sequence block has no pooled array; use sequence()")
        if self.is_sparse:
            selector = scipy.sparse.csr_matrix(
                (self.present.astype(np.float32)[self.present],
                 (np.flatnonzero(self.present), self.index[self.present])),
                shape=(len(self), self.values.shape[0]),
            )
            return scipy.sparse.csr_matrix(selector @ self.values)
        rows = (
            np.asarray(self.values[np.maximum(self.index, 0)])
            if len(self.values)
            else self._zeros()
        )
        rows[~self.present] = 0
        return rows

    def _zeros(self) -> NDArray[Any]:
        return np.zeros((len(self), *self.values.shape[1:]), dtype=self.values.dtype)

    def sequence(self) -> tuple[FloatArray, BoolArray]:
        """Values float32 (n, t, d) and mask bool (n, t); a pooled vector is a sequence of one.

        A missing sample has an all-False mask and zeros.
        """
        if not self.is_sequence:
            pooled: Any = self.array()
            dense: FloatArray = pooled.toarray() if self.is_sparse else pooled
            return dense[:, None, :], self.present[:, None].copy()
        assert self.mask is not None
        rows = np.maximum(self.index, 0)
        if not len(self.values):
            return self._zeros(), np.zeros((len(self), self.values.shape[1]), dtype=bool)
        values, mask = np.asarray(self.values[rows]), np.asarray(self.mask[rows])
        mask = mask & self.present[:, None]
        values[~mask] = 0.0
        return values, mask


def block_name(modality: Modality, number: int) -> BlockName:
    """The name of a modality's block of that number, counted from 1."""
    return modality if number == 1 else f"{modality}_{number}"


def modality_of(name: BlockName) -> Modality:
    """The modality of a block of that name."""
    return "image" if name.partition("_")[0] == "image" else "text"


def modalities_of(names: Iterable[BlockName]) -> tuple[Modality, ...]:
    """The modalities of blocks of these names, each once, in their order."""
    return tuple(dict.fromkeys(map(modality_of, names)))


def joined(blocks: Sequence[Block]) -> Block:
    """The samples of blocks, one block after the other.

    Sparse ones have names for their columns: the joined columns are those that any of them has, in
    alphabetical order. Dense ones are of equal shape.
    """
    if blocks[0].is_sparse:
        return _joined_by_name(blocks)
    masks = [block.mask for block in blocks if block.mask is not None]
    return Block.of(
        np.concatenate([block.values for block in blocks]),
        np.concatenate(masks) if masks else None,
        blocks[0].encoder,
    )


def _joined_by_name(blocks: Sequence[Block]) -> Block:
    names = sorted(set().union(*(block.columns or () for block in blocks)))
    position = {name: column for column, name in enumerate(names)}
    parts = []
    for block in blocks:
        matrix = scipy.sparse.csr_matrix(block.values)
        columns = np.array([position[name] for name in block.columns or ()], dtype=np.int32)
        indices = columns[matrix.indices]
        shape = matrix.shape[0], len(names)
        part = scipy.sparse.csr_matrix((matrix.data, indices, matrix.indptr), shape=shape)
        part.sort_indices()
        parts.append(part)
    return Block.of(scipy.sparse.vstack(parts, format="csr"), columns=tuple(names))


def unit_rows(rows: NDArray[Any]) -> FloatArray:
    """Rows (n, d) of norm 1, so that products are cosines; zeros stay zeros."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1), dtype=np.float32)


def reading_order(values: Any, rows: IntArray) -> IntArray:
    """An order (n,) of some rows (n,) of a block's values in which they are read fastest.

    Who reads them tile by tile, and may do so in any order, reads neighbours on disk together.
    """
    order = getattr(values, "reading_order", None)
    return np.arange(len(rows)) if order is None else np.asarray(order(rows))
