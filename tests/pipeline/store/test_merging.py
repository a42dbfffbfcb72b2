"""Small shards are put together: nothing is lost, whichever of them is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.store import merging
from pipeline.store.__main__ import prune
from pipeline.store.folder import FolderStore
from pipeline.store.keys import key_of
from pipeline.store.sharded_rows import block_at
from pipeline.store.shards import LACKING, Shards
from tests.support.shards import MAKER, block_of, counts_of, digest

DIGESTS = [digest(sample) for sample in range(6)]


@pytest.mark.parametrize("make", [block_of, lambda part: block_of(part, 4), counts_of])
def test_prune_puts_small_shards_together_and_loses_nothing(store, make):
    for sample in range(6):
        Shards(store, MAKER).put([digest(sample)], make([sample]), 2.0, "Colour")
    prune(store)
    (key,) = store.all_keys()
    again = FolderStore(store.root)
    shards = Shards(again, MAKER)
    locations = shards.locate(DIGESTS)
    block, expected = block_at(again, locations), make(range(6))
    assert np.array_equal(block.take(np.arange(6)).at(np.arange(6)).index, expected.index)
    dense = [values.toarray() if block.is_sparse else np.asarray(values)
             for values in (block.values, expected.values)]
    assert np.array_equal(*dense)
    assert shards.seconds(locations) == pytest.approx(12.0)
    facts = again.manifest(key)["facts"]
    assert (facts["class"], facts["work"]) == ("Colour", 6)
    assert store.groups() == {key_of(MAKER): [key]}
    prune(store)
    assert store.all_keys() == [key]


def test_prune_keeps_a_shard_that_already_holds_what_the_others_do(store):
    """Two runs at once may have encoded a sample each: the merged shard is one of the two."""
    shards = Shards(store, MAKER)
    both = sorted([digest(1), digest(2)])
    shards.put(both, block_of([1, 2]), 1.0)
    Shards(store, MAKER).put([digest(2)], block_of([2]), 1.0)
    prune(store)
    again = Shards(FolderStore(store.root), MAKER)
    assert LACKING not in again.locate(both).shard


def test_a_shard_that_is_damaged_loses_its_own_samples_alone(store):
    keys = [Shards(store, MAKER).put([digest(sample)], block_of([sample]), 1.0)
            for sample in range(6)]
    (store.folder(keys[2]) / "values.npy").write_bytes(b"no array")
    prune(FolderStore(store.root))
    located = Shards(FolderStore(store.root), MAKER).locate(DIGESTS).shard
    assert [shard == LACKING for shard in located] == [False, False, True, False, False, False]


def test_no_merged_shard_is_larger_than_fits(store, monkeypatch):
    for sample in range(6):
        Shards(store, MAKER).put([digest(sample)], block_of([sample]), 1.0)
    file = store.manifest(store.all_keys()[0])["files"]["values"]["bytes"]
    monkeypatch.setattr(merging, "BYTES", 2 * file)
    prune(store)
    sizes = [len(held) for held in Shards(store, MAKER).samples.values()]
    assert sorted(sizes) == [2, 2, 2]
    assert LACKING not in Shards(store, MAKER).locate(DIGESTS).shard
