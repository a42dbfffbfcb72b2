"""Values kept by sample: entries of some samples each, that are found by what made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.block import Block
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store

SIZE = 512  # samples of a shard: what an interrupted encoding may lose


@dataclass(frozen=True, eq=False)
class Shards:
    """The values that one maker gives to samples, wherever these have been seen.

    Parameters
    ----------
    maker : everything that decides the value of a sample, beside the sample.
    """

    store: Store
    maker: Ingredients

    @cached_property
    def _shards(self) -> dict[str, Entry]:
        """Sound shards by key; a damaged or removed one is as if it had never been."""
        noted = self.store.noted(key_of(self.maker))
        entries = {key: self.store.at(key) for key in noted}
        return {key: entry for key, entry in entries.items() if entry is not None}

    @cached_property
    def _locations(self) -> dict[str, tuple[str, int]]:
        """Key of the shard and row in it of each sample, by digest."""
        locations: dict[str, tuple[str, int]] = {}
        for key, entry in self._shards.items():
            for row, digest in enumerate(np.asarray(entry.arrays["digests"])):
                locations[digest.tobytes().hex()] = key, row
        return locations

    def lacks(self, digest: str) -> bool:
        """Whether no shard has the sample of this digest."""
        return digest not in self._locations

    def add(self, digests: Sequence[str], block: Block, seconds: float) -> str:
        """Keep the values of some samples, which took so long to make, as a new shard; its key."""
        arrays: dict[str, NDArray[np.generic]] = {"values": np.asarray(block.values)}
        if block.mask is not None:
            arrays["mask"] = block.mask
        arrays["digests"] = np.frombuffer(
            bytes.fromhex("".join(digests)), dtype=np.uint8
        ).reshape(len(digests), -1)
        ingredients = {**self.maker, "samples": key_of({"digests": list(digests)})}
        facts = {"label": f"{len(digests)} samples", "encode_seconds": seconds}
        key = key_of(ingredients)
        entry = self.store.get(ingredients, lambda: Entry(arrays, facts))
        self.store.note(key_of(self.maker), key)
        self._locations.update({digest: (key, row) for row, digest in enumerate(digests)})
        self._shards[key] = entry
        return key

    def merge(self) -> list[str]:
        """Put the samples of small shards into larger ones; keys of those that are then idle."""
        small = {
            key: np.asarray(entry.arrays["digests"])
            for key, entry in self._shards.items()
            if len(entry.arrays["digests"]) < SIZE
        }
        if len(small) < 2:
            return []
        samples = np.concatenate(list(small.values()))
        digests = list(dict.fromkeys(sample.tobytes().hex() for sample in samples))
        merged = []
        for start in range(0, len(digests), SIZE):
            part = digests[start : start + SIZE]
            seconds = self.seconds(part)
            merged.append(self.add(part, self.block(part, self.longest(part)), seconds))
        return [key for key in small if key not in merged]

    def seconds(self, digests: Sequence[str]) -> float:
        """What making the values of these samples took: their part of each shard's time."""
        total = 0.0
        for digest in digests:
            entry = self._shards[self._locations[digest][0]]
            total += float(entry.facts["encode_seconds"]) / len(entry.arrays["digests"])
        return total

    def longest(self, digests: Sequence[str]) -> int:
        """Length of the longest sequence among these samples; 0 where they are no sequences."""
        lengths = [0]
        for shard, rows, _ in self._by_shard(digests):
            mask = shard.arrays.get("mask")
            if mask is not None:
                there = np.asarray(mask[rows])
                lengths.append(int((there * np.arange(1, there.shape[1] + 1)).max(initial=0)))
        return max(lengths)

    def block(self, digests: Sequence[str], longest: int) -> Block:
        """The values of these samples in their order, sequences of `longest` places."""
        values: NDArray[np.float32] | None = None
        mask: NDArray[np.bool_] | None = None
        for shard, rows, positions in self._by_shard(digests):
            arrays = shard.arrays
            part = np.asarray(arrays["values"][rows])
            shape = part.shape[1:] if "mask" not in arrays else (longest, *part.shape[2:])
            if values is None:
                values = np.zeros((len(digests), *shape), dtype=part.dtype)
            if "mask" not in arrays:
                values[positions] = part
                continue
            if mask is None:
                mask = np.zeros((len(digests), longest), dtype=bool)
            width = min(longest, part.shape[1])
            values[positions, :width] = part[:, :width]
            mask[positions, :width] = np.asarray(arrays["mask"][rows])[:, :width]
        assert values is not None
        return Block.of(values, mask)

    def _by_shard(
        self, digests: Sequence[str]
    ) -> list[tuple[Entry, NDArray[np.int64], NDArray[np.int64]]]:
        """Each shard that is needed, rows of it, and where these stand in the order."""
        by_shard: dict[str, list[tuple[int, int]]] = {}
        for position, digest in enumerate(digests):
            key, row = self._locations[digest]
            by_shard.setdefault(key, []).append((row, position))
        parts = []
        for key, pairs in by_shard.items():
            rows, positions = np.array(pairs, dtype=np.int64).T
            parts.append((self._shards[key], rows, positions))
        return parts
