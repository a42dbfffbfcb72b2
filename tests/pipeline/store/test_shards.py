"""Values by sample: located whatever the samples beside them, whole or not at all."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store.folder import FolderStore
from pipeline.store.shards import LACKING, Shards
from tests.support.shards import MAKER, block_of, digest


@given(
    st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True), max_size=5),
    st.lists(st.integers(0, 40), unique=True),
)
@settings(max_examples=30)
def test_every_sample_is_located_where_it_lies(tmp_path_factory, parts, asked):
    store = FolderStore(tmp_path_factory.mktemp("store"))
    stored = set()
    for part in parts:
        Shards(store, MAKER).put([digest(sample) for sample in part], block_of(part), 1.0)
        stored |= set(part)
    locations = Shards(store, MAKER).locate([digest(sample) for sample in asked])
    assert [shard != LACKING for shard in locations.shard] == [sample in stored for sample in asked]
    for sample, shard, row in zip(asked, locations.shard, locations.row, strict=True):
        if shard != LACKING:
            values = store.at(locations.keys[shard]).arrays["values"]
            assert values[row].tolist() == [sample, 2 * sample, -sample]


def test_digests_that_end_in_zeros_are_told_apart(store):
    """NumPy's bytes leave such zeros out."""
    digests = ["ab" * 31 + "00", "ab" * 30 + "0000", "00" * 32, "ab" * 31 + "01"]
    shards = Shards(store, MAKER)
    shards.put(digests[:3], block_of([1, 2, 3]), 1.0)
    again = Shards(store, MAKER)
    assert again.locate(digests).row.tolist()[:3] == [0, 1, 2]
    assert again.locate(digests).shard.tolist() == [0, 0, 0, LACKING]
    assert list(again.samples.values()) == [digests[:3]]


def test_shards_know_what_they_put_themselves(store):
    shards = Shards(store, MAKER)
    assert shards.locate([digest(1)]).shard.tolist() == [LACKING]
    shards.put([digest(1)], block_of([1]), 1.0)
    assert shards.locate([digest(1)]).shard.tolist() == [0]


def test_a_shard_is_put_without_a_look_at_the_others(store, monkeypatch):
    """Thousands are put by tasks that know each a single one."""
    for sample in range(3):
        Shards(store, MAKER).put([digest(sample)], block_of([sample]), 1.0)
    monkeypatch.setattr(store, "array", None)
    Shards(store, MAKER).put([digest(9)], block_of([9]), 1.0)


def test_seconds_are_shared_by_the_samples_of_a_shard(store):
    shards = Shards(store, MAKER)
    shards.put([digest(sample) for sample in range(4)], block_of(range(4)), 8.0)
    shards.put([digest(7)], block_of([7]), 1.0)
    assert shards.seconds(shards.locate([digest(1), digest(2)])) == pytest.approx(4.0)
    assert shards.seconds(shards.locate([digest(1), digest(7)])) == pytest.approx(3.0)


def test_another_maker_s_values_are_not_taken(store):
    Shards(store, MAKER).put([digest(1)], block_of([1]), 1.0)
    other = Shards(store, {**MAKER, "encoder": "other"})
    assert other.locate([digest(1)]).keys == ()


@pytest.mark.parametrize("file", ["values.npy", "digests.npy", "manifest.json"])
def test_a_damaged_shard_is_as_if_it_had_never_been(store, file):
    shards = Shards(store, MAKER)
    keys = [shards.put([digest(sample)], block_of([sample]), 1.0) for sample in (1, 2)]
    (store.folder(keys[0]) / file).write_bytes(b"no array")
    again = Shards(FolderStore(store.root), MAKER)
    locations = again.locate([digest(1), digest(2)])
    assert (locations.keys, locations.shard.tolist()) == ((keys[1],), [LACKING, 0])


def test_where_one_of_two_shards_is_damaged_the_other_gives_the_sample(store):
    shards = Shards(store, MAKER)
    keys = [
        shards.put([digest(1)], block_of([1]), 1.0),
        shards.put([digest(1), digest(2)], block_of([1, 2]), 1.0),
    ]
    for damaged, whole in (keys, keys[::-1]):
        values = store.folder(damaged) / "values.npy"
        sound = values.read_bytes()
        values.write_bytes(sound[:-1] + b"?")
        again = Shards(FolderStore(store.root), MAKER)
        assert again.locate([digest(1)]).keys == (whole,)
        values.write_bytes(sound)


def test_digests_are_those_of_the_samples():
    assert digest(3) == hashlib.sha256(b"3").hexdigest()
    assert np.array_equal(block_of([3]).values, [[3, 6, -3]])
