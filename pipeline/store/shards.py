"""Values kept by sample: entries of some samples each, that are found by what made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.block import Block
from pipeline.store.array_file import block_arrays
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Damaged, Entry
from pipeline.store.packed_texts import packed
from pipeline.store.store import Store
from reports.wording import count

LACKING = -1  # number of the shard of a sample that no shard has
BYTES = 32  # of a digest


class Locations(NamedTuple):
    """Where the values of m samples lie.

    Parameters
    ----------
    keys : of the shards that hold them.
    shard, row : int32 (m,), position in `keys` and row in that shard; LACKING where none has it.
    """

    keys: tuple[str, ...]
    shard: NDArray[np.int32]
    row: NDArray[np.int32]


def shard_ingredients(maker: Ingredients, digests: Sequence[str]) -> Ingredients:
    """Everything that decides a shard: what makes values of samples, and the samples in order."""
    return {**maker, "samples": key_of({"digests": list(digests)})}


@dataclass(frozen=True, eq=False)
class Shards:
    """The values that one maker gives to samples, wherever these have been seen.

    It knows the shards that were there when it was first asked, and those it put itself.

    Parameters
    ----------
    maker : everything that decides the value of a sample, beside the sample.
    """

    store: Store
    maker: Ingredients

    def put(
        self, digests: Sequence[str], block: Block, seconds: float, kind: str | None = None
    ) -> str:
        """Keep the values of some samples as a shard; its key.

        Parameters
        ----------
        seconds : that they took to make.
        kind : what these are noted under, to tell how long others will take.
        """
        facts = {
            "label": count(len(digests), "sample"),
            "class": kind,
            "work": len(digests),
            "encode_seconds": seconds,
        }
        held = _searchable(digests).view(np.uint8).reshape(-1, BYTES)
        arrays = {**_arrays(block), "digests": held}
        ingredients = shard_ingredients(self.maker, digests)
        key = key_of(ingredients)
        self.store.get(ingredients, lambda: Entry(arrays, facts))
        self.store.note(key_of(self.maker), key)
        if "_held" in vars(self):  # else it is read when it is first asked for, this shard too
            self._held[key] = _searchable(digests)
        return key

    @cached_property
    def samples(self) -> dict[str, list[str]]:
        """Digests of the samples of each shard that was there."""
        return {
            key: [row.tobytes().hex() for row in held.view(np.uint8).reshape(-1, BYTES)]
            for key, held in self._held.items()
        }

    def locate(self, digests: Sequence[str]) -> Locations:
        """Where the values of m distinct samples lie, in shards that are sound as a whole.

        A damaged or removed shard is as if it had never been.
        """
        asked = _searchable(digests)
        while True:
            locations = self._searched(asked)
            unsound = [key for key in locations.keys if self.store.at(key) is None]
            if not unsound:
                return locations
            for key in unsound:
                del self._held[key]

    def _searched(self, asked: NDArray[np.bytes_]) -> Locations:
        shard = np.full(len(asked), LACKING, dtype=np.int32)
        row = np.zeros(len(asked), dtype=np.int32)
        keys: list[str] = []
        order = np.argsort(asked, kind="stable")
        in_order = asked[order]
        for key, held in self._held.items() if len(asked) else ():
            rank = np.minimum(np.searchsorted(in_order, held), len(asked) - 1)
            rows = np.flatnonzero(in_order[rank] == held)
            positions = order[rank[rows]]
            first = shard[positions] == LACKING
            if first.any():
                shard[positions[first]], row[positions[first]] = len(keys), rows[first]
                keys.append(key)
        return Locations(tuple(keys), shard, row)

    @cached_property
    def _held(self) -> dict[str, NDArray[np.bytes_]]:
        """Digests of the samples of each shard."""
        held = {}
        for key in self.store.noted(key_of(self.maker)):
            try:
                if not self._made(key):
                    continue
                digests = np.ascontiguousarray(self.store.array(key, "digests"))
            except Damaged:
                continue
            held[key] = digests.view(f"S{BYTES}").ravel()
        return held

    def _made(self, key: str) -> bool:
        """Whether the entry of a key is a shard of this maker: anybody may note any key."""
        ingredients = dict(self.store.manifest(key)["ingredients"])
        ingredients.pop("samples", None)
        return key_of(ingredients) == key_of(self.maker)

    def seconds(self, locations: Locations) -> float:
        """What making the values of these samples took: their part of each shard's time."""
        samples = np.bincount(locations.shard, minlength=len(locations.keys))
        return sum(
            float(self.store.manifest(key)["facts"]["encode_seconds"])
            * int(count)
            / len(self._held[key])
            for key, count in zip(locations.keys, samples, strict=True)
        )


def _searchable(digests: Sequence[str]) -> NDArray[np.bytes_]:
    """Sha256 of m samples as bytes (m,), which can be sorted and searched.

    NumPy leaves zeros at the end of such a value out; all being equally long, they stay distinct.
    """
    return np.frombuffer(bytes.fromhex("".join(digests)), dtype=f"S{BYTES}")


def _arrays(block: Block) -> dict[str, Any]:
    """The arrays of a shard; columns of sparse values by name, as no other shard has the same."""
    if block.columns is not None:
        names = packed(block.columns)
        return {
            "values": block.values,
            "columns": names["bytes"],
            "column_ends": names["ends"],
        }
    return block_arrays(block)
