"""Blocks from shards: to the bit what one pass gives, in any order, and nothing read unasked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store import sharded_rows
from pipeline.store.folder import FolderStore
from pipeline.store.manifest import Entry
from pipeline.store.sharded_rows import block_at, index_entry, missing_shards, rows_at
from pipeline.store.shards import Shards
from tests.support.shards import MAKER, block_of, counts_of, digest

PARTS = st.lists(
    st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True), min_size=1, max_size=5
)


def stored(store, parts, make):
    """The samples that are in the store then, each once, and where they lie."""
    for part in parts:
        Shards(store, MAKER).put([digest(sample) for sample in part], make(part), 1.0)
    return sorted(set().union(*map(set, parts)))


@given(PARTS, st.randoms(use_true_random=False), st.data())
@settings(max_examples=30)
def test_vectors_come_back_in_any_order(tmp_path_factory, parts, random, data):
    store = FolderStore(tmp_path_factory.mktemp("store"))
    samples = stored(store, parts, block_of)
    random.shuffle(samples)
    block = block_at(store, Shards(store, MAKER).locate([digest(sample) for sample in samples]))
    expected = block_of(samples).values
    assert block.values.shape == expected.shape
    assert np.array_equal(np.asarray(block.values), expected)
    rows = np.array(data.draw(st.lists(st.integers(0, len(samples) - 1))), dtype=np.int64)
    assert np.array_equal(block.values[rows], expected[rows])
    assert np.array_equal(block.values[1:3], expected[1:3])
    there = np.arange(len(samples)) % 2 == 0
    assert np.array_equal(block.values[there], expected[there])
    assert np.array_equal(block.take(rows).array(), expected[rows])


@given(PARTS, st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_sequences_are_as_long_as_the_longest_asked_for(tmp_path_factory, parts, random):
    store = FolderStore(tmp_path_factory.mktemp("store"))
    # as wide as their own pass made them
    samples = stored(store, parts, lambda part: block_of(part, 4 + len(part) % 3))
    random.shuffle(samples)
    samples = samples[: max(1, len(samples) // 2)]
    block = block_at(store, Shards(store, MAKER).locate([digest(sample) for sample in samples]))
    expected = block_of(samples, max(sample % 4 + 1 for sample in samples))
    assert np.array_equal(block.mask, expected.mask)
    for given_back, whole in zip(block.sequence(), expected.sequence(), strict=True):
        assert np.array_equal(given_back, whole)


@given(PARTS, st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_counts_have_the_columns_that_one_pass_gives(tmp_path_factory, parts, random):
    store = FolderStore(tmp_path_factory.mktemp("store"))
    samples = stored(store, parts, counts_of)
    random.shuffle(samples)
    samples = samples[: max(1, len(samples) // 2)]
    block = block_at(store, Shards(store, MAKER).locate([digest(sample) for sample in samples]))
    expected = counts_of(samples)
    assert list(block.columns) == list(expected.columns)
    assert np.array_equal(block.values.toarray(), expected.values.toarray())
    assert block.values.has_sorted_indices


@pytest.mark.parametrize("length", [None, 4])
def test_an_index_gives_the_block_back_and_holds_no_features(store, length):
    shards = Shards(store, MAKER)
    samples = list(range(20))
    for part in (samples[:7], samples[7:]):
        shards.put([digest(sample) for sample in part], block_of(part, length), 1.0)
    locations = shards.locate([digest(sample) for sample in samples])
    block = block_at(store, locations)
    entry = store.get({"kind": "features"}, lambda: index_entry(locations, block, {"label": "x"}))
    assert "values" not in entry.arrays
    assert np.array_equal(np.asarray(rows_at(store, entry)), block_of(samples, length).values)
    assert missing_shards(store, entry) == []
    store.remove(locations.keys[0], lambda key: True)
    assert missing_shards(store, entry) == [locations.keys[0]]


def test_features_of_the_old_form_are_read_as_they_are(store):
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    entry = store.get({"kind": "features"}, lambda: Entry({"values": values}, {"label": "old"}))
    assert np.array_equal(rows_at(store, entry), values)
    assert missing_shards(store, entry) == []


def test_rows_are_read_fastest_shard_by_shard(store):
    shards = Shards(store, MAKER)
    for part in ([5, 1, 3], [4, 0, 2]):
        shards.put([digest(sample) for sample in part], block_of(part), 1.0)
    values = block_at(store, shards.locate([digest(sample) for sample in range(6)])).values
    order = values.reading_order(np.array([0, 1, 2, 3, 4, 5]))
    assert order.tolist() in ([5, 1, 3, 4, 0, 2], [4, 0, 2, 5, 1, 3])
    assert values.reading_order(np.array([3, 5])).tolist() == [1, 0]


def test_no_more_than_a_few_shards_are_open_at_once(store, monkeypatch):
    monkeypatch.setattr(sharded_rows, "OPEN", 2)
    shards = Shards(store, MAKER)
    for sample in range(6):
        shards.put([digest(sample)], block_of([sample]), 1.0)
    block = block_at(store, shards.locate([digest(sample) for sample in range(6)]))
    assert np.array_equal(np.asarray(block.values), block_of(range(6)).values)
    assert len(block.values._open) == 2


def test_what_is_taken_may_be_changed_and_the_store_stays_as_it_is(store):
    shards = Shards(store, MAKER)
    shards.put([digest(1)], block_of([1]), 1.0)
    block = block_at(store, shards.locate([digest(1)]))
    block.array()[:] = 0
    assert block.array().tolist() == [[1, 2, -1]]
