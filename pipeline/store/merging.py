"""Small shards put together, so that no data set is scattered over very many files."""

from __future__ import annotations

import numpy as np

from features.block import Block
from pipeline.store.sharded_rows import block_at
from pipeline.store.shards import LACKING, Locations, Shards

SAMPLES, BYTES = 4096, 2**27  # of the largest shard: it is in memory while it is put together


def merge(shards: Shards) -> list[str]:
    """Put the samples of small shards into larger ones; keys of those that are then idle."""
    size = _size(shards)
    small = [key for key, digests in shards.samples.items() if len(digests) < size]
    if len(small) < 2:
        return []
    held = sorted(set().union(*(shards.samples[key] for key in small)))
    lost = shards.locate(held).shard == LACKING  # in damaged shards
    digests = [digest for digest, is_lost in zip(held, lost, strict=True) if not is_lost]
    merged = [
        _merged(shards, digests[start : start + size]) for start in range(0, len(digests), size)
    ]
    return [key for key in small if key not in merged]


def _size(shards: Shards) -> int:
    """Samples of the largest shard that the values of a maker fit into."""
    files = [shards.store.manifest(key)["files"]["values"] for key in shards.samples]
    samples = sum(len(digests) for digests in shards.samples.values())
    bytes_of_sample = sum(int(file["bytes"]) for file in files) / max(samples, 1)
    return max(1, min(SAMPLES, int(BYTES / max(bytes_of_sample, 1))))


def _merged(shards: Shards, digests: list[str]) -> str:
    """The key of a shard of these samples, which other shards have."""
    locations: Locations = shards.locate(digests)
    block = block_at(shards.store, locations)
    if not block.is_sparse:
        block = Block.of(np.asarray(block.values), block.mask)
    facts = shards.store.manifest(locations.keys[0])["facts"]
    return shards.put(digests, block, shards.seconds(locations), facts.get("class"))
