"""Values by sample: found whatever the samples beside them, whole or not at all."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.block import Block
from pipeline.store.__main__ import prune
from pipeline.store.keys import key_of
from pipeline.store.shards import Shards
from pipeline.store.store import Store

MAKER = {"kind": "shard", "encoder": "test"}


def digest(sample: int) -> str:
    return hashlib.sha256(str(sample).encode()).hexdigest()


def block_of(samples, length=None) -> Block:
    """Vectors (m, 3) that tell the sample; with a length, sequences of sample % 4 + 1 of these."""
    vectors = np.array([[sample, 2 * sample, -sample] for sample in samples], dtype=np.float32)
    if length is None:
        return Block.of(vectors)
    there = np.arange(length) < np.array([sample % 4 + 1 for sample in samples])[:, None]
    return Block.of(vectors[:, None] * there[:, :, None], there)


@given(
    st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True), max_size=5),
    st.randoms(use_true_random=False),
    st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_any_samples_come_back_in_any_order(tmp_path_factory, parts, random, sequences):
    store = Store(tmp_path_factory.mktemp("store"))
    stored: list[int] = []
    for part in parts:
        shards = Shards(store, MAKER)  # as another run would open it
        lacking = [sample for sample in part if shards.lacks(digest(sample))]
        assert set(lacking) == set(part) - set(stored)
        if lacking:
            length = 4 + len(lacking) % 3 if sequences else None  # as wide as its own pass made it
            shards.add([digest(sample) for sample in lacking], block_of(lacking, length), 1.0)
            stored += lacking
    if not stored:
        return
    random.shuffle(stored)
    digests = [digest(sample) for sample in stored]
    again = Shards(store, MAKER)
    longest = again.longest(digests)
    block = again.block(digests, longest)
    expected = block_of(stored, longest if sequences else None)
    assert longest == (max(sample % 4 + 1 for sample in stored) if sequences else 0)
    assert np.array_equal(block.values, expected.values)
    if sequences:
        assert np.array_equal(block.mask, expected.mask)


def test_seconds_are_shared_by_the_samples_of_a_shard(store):
    shards = Shards(store, MAKER)
    shards.add([digest(sample) for sample in range(4)], block_of(range(4)), 8.0)
    assert shards.seconds([digest(1), digest(2)]) == pytest.approx(4.0)


def test_another_maker_s_values_are_not_taken(store):
    Shards(store, MAKER).add([digest(1)], block_of([1]), 1.0)
    assert Shards(store, {**MAKER, "encoder": "other"}).lacks(digest(1))


def test_a_damaged_or_removed_shard_is_as_if_it_had_never_been(store):
    shards = Shards(store, MAKER)
    shards.add([digest(1)], block_of([1]), 1.0)
    shards.add([digest(2)], block_of([2]), 1.0)
    damaged = store.entries()[0]
    (damaged / "values.npy").write_bytes(b"no array")
    again = Shards(Store(store.root), MAKER)
    assert [again.lacks(digest(sample)) for sample in (1, 2)].count(True) == 1


def test_prune_keeps_a_shard_that_already_holds_what_the_others_do(store):
    """Two runs at once may have encoded a sample each: the merged shard is one of the two."""
    shards = Shards(store, MAKER)
    shards.add([digest(1), digest(2)], block_of([1, 2]), 1.0)
    Shards(store, MAKER).add([digest(2)], block_of([2]), 1.0)
    prune(store)
    again = Shards(Store(store.root), MAKER)
    assert not again.lacks(digest(1))
    assert not again.lacks(digest(2))


def test_prune_puts_small_shards_together_and_loses_nothing(store):
    for sample in range(6):
        Shards(store, MAKER).add([digest(sample)], block_of([sample], 4), 2.0)
    prune(store)
    assert len(store.entries()) == 1
    shards = Shards(Store(store.root), MAKER)
    digests = [digest(sample) for sample in range(6)]
    assert not any(map(shards.lacks, digests))
    block = shards.block(digests, 4)
    assert np.array_equal(block.values, block_of(range(6), 4).values)
    assert shards.seconds(digests) == pytest.approx(12.0)
    assert store.groups() == {key_of(MAKER): [store.entries()[0].name]}
    prune(store)
    assert len(store.entries()) == 1
