"""Rows of shards, in the order of the samples that are asked for, read when they are taken."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.block import Block, BoolArray, joined
from pipeline.store.array_file import Array
from pipeline.store.manifest import Entry
from pipeline.store.packed_texts import PackedTexts
from pipeline.store.shards import Locations
from pipeline.store.store import Store

OPEN = 128  # shards that are open at once: each holds a file


class ShardedRows:
    """An array (m, ...) whose rows lie in shards on disk; what is taken of it is in memory.

    Parameters
    ----------
    locations : where each of the m rows lies.
    shape : (m, d), or (m, t, d), where the sequences of a shard may have fewer places than t: then
        zeros follow.
    """

    def __init__(self, store: Store, locations: Locations, shape: tuple[int, ...]) -> None:
        self.shape, self.dtype = shape, np.dtype(np.float32)
        self._store, self._locations = store, locations
        self._open: OrderedDict[str, Array] = OrderedDict()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        """Copies of the rows at some positions: an array of them, a mask or a slice."""
        row = self._locations.row[rows]
        taken = np.zeros((len(row), *self.shape[1:]), dtype=self.dtype)
        for key, positions in _by_shard(self._locations.keys, self._locations.shard[rows]):
            values = self._values(key)
            if taken.ndim < 3:
                taken[positions] = values[row[positions]]
                continue
            length = min(values.shape[1], taken.shape[1])
            for position, row_of_shard in zip(positions, row[positions], strict=True):
                taken[position, :length] = values[row_of_shard, :length]
        return taken

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All rows, in memory."""
        return np.asarray(self[:], dtype=dtype)

    def reading_order(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Shard after shard, each from its first row."""
        return np.lexsort((self._locations.row[rows], self._locations.shard[rows]))

    def _values(self, key: str) -> Array:
        if key not in self._open:
            self._open[key] = self._store.array(key, "values")
        self._open.move_to_end(key)
        while len(self._open) > OPEN:
            self._open.popitem(last=False)
        return self._open[key]


def block_at(store: Store, locations: Locations) -> Block:
    """The values of m samples that shards hold, on disk where they are dense.

    Sparse ones are in memory, with the columns that any of the samples has.
    """
    files = store.manifest(locations.keys[0])["files"]
    if "columns" in files:
        return _counts_at(store, locations)
    masks = {}
    if "mask" in files:
        masks = {key: np.asarray(store.array(key, "mask")) for key in locations.keys}
    shape = (len(locations.row), *files["values"]["shape"][1:])
    if not masks:
        return Block.of(ShardedRows(store, locations, shape))
    mask = _mask_at(masks, locations)
    return Block.of(ShardedRows(store, locations, (*mask.shape, shape[-1])), mask)


def index_entry(locations: Locations, block: Block, facts: dict[str, Any]) -> Entry:
    """What is stored of a block on disk: where its rows lie. `at_index` gives it back."""
    if block.is_sparse:
        return Entry({"values": block.values}, facts)
    arrays: dict[str, Any] = {"shard": locations.shard, "row": locations.row}
    if block.mask is not None:
        arrays["mask"] = block.mask
    return Entry(arrays, {**facts, "shards": list(locations.keys), "shape": block.values.shape})


def rows_at(store: Store, entry: Entry) -> Any:
    """Values (m, ...) of stored features: its own, or those of the shards that it names."""
    if "shards" not in entry.facts:
        return entry.arrays["values"]
    locations = Locations(
        tuple(entry.facts["shards"]), entry.arrays["shard"], entry.arrays["row"]
    )
    return ShardedRows(store, locations, tuple(entry.facts["shape"]))


def missing_shards(store: Store, entry: Entry) -> list[str]:
    """Keys of the shards that stored features name and that are gone, damaged, or not as named."""
    keys = entry.facts.get("shards", ())
    return [key for number, key in enumerate(keys) if not _has_rows(store.at(key), entry, number)]


def _has_rows(shard: Entry | None, entry: Entry, number: int) -> bool:
    """Whether a shard has the rows that stored features say lie there."""
    if shard is None or "values" not in shard.arrays:
        return False
    shape, values = entry.facts["shape"], shard.arrays["values"]
    rows = entry.arrays["row"][entry.arrays["shard"] == number]
    fits = len(values.shape) == len(shape) and values.shape[-1] == shape[-1]
    return fits and int(rows.max(initial=-1)) < values.shape[0]


def _by_shard(
    keys: tuple[str, ...], shard: NDArray[np.int32]
) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Each shard that some rows lie in, and the positions of these rows."""
    order = np.argsort(shard, kind="stable")
    starts = np.flatnonzero(np.diff(shard[order], prepend=-1))
    for positions in np.split(order, starts[1:]) if len(order) else ():
        yield keys[shard[positions[0]]], positions


def _mask_at(masks: dict[str, BoolArray], locations: Locations) -> BoolArray:
    """Mask (m, t) of sequences, t the longest of the m."""
    widest = max(mask.shape[1] for mask in masks.values())
    there = np.zeros((len(locations.row), widest), dtype=bool)
    for key, positions in _by_shard(locations.keys, locations.shard):
        part = masks[key][locations.row[positions]]
        there[positions, : part.shape[1]] = part
    longest = int(np.flatnonzero(there.any(axis=0)).max(initial=-1)) + 1
    return there[:, :longest]


def _counts_at(store: Store, locations: Locations) -> Block:
    blocks, order = [], []
    for key, positions in _by_shard(locations.keys, locations.shard):
        names = PackedTexts(store.array(key, "columns"), store.array(key, "column_ends"))
        counts: Any = store.array(key, "values")[locations.row[positions]]
        used = np.unique(counts.indices)  # terms of other samples are no columns of these
        blocks.append(Block.of(counts[:, used], columns=list(names.take(used))))
        order.append(positions)
    block = joined(blocks)
    return Block.of(block.values[np.argsort(np.concatenate(order))], columns=block.columns)
