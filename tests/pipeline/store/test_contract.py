"""What a store promises, of a folder and of a bucket that several machines share."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from pipeline.store import __main__ as store_command
from pipeline.store.keys import key_of
from pipeline.store.manifest import Damaged, Entry
from pipeline.store.objects import locks
from pipeline.store.opening import store_at
from tests.support.buckets import InBucket, InFolder

INGREDIENTS = {"kind": "features", "encoder": {"class": "Bow", "version": 1}}
KEY = key_of(INGREDIENTS)
VALUES = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
MASK = np.array([[True, True, True, False], [True, False, False, False]])


class Counter:
    """A computation that counts how often it is asked for."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Entry:
        self.calls += 1
        return Entry({"values": VALUES, "mask": MASK}, {"label": "bow", "work": 2})


@pytest.fixture
def counter():
    return Counter()


@pytest.fixture(params=["folder", "bucket"])
def stored(request, tmp_path):
    if request.param == "folder":
        return InFolder(tmp_path)
    return InBucket(tmp_path, request.getfixturevalue("bucket"))


def test_a_value_is_computed_once_and_then_read(stored, counter):
    first = stored.open("a").get(INGREDIENTS, counter)
    again = stored.open("b").get(INGREDIENTS, counter)
    assert counter.calls == 1
    assert (first.reused, again.reused) == (False, True)
    assert first.checksums == again.checksums
    assert again.facts == {"label": "bow", "work": 2}
    for entry in (first, again):
        assert not entry.arrays["values"].flags.writeable
        np.testing.assert_array_equal(entry.arrays["values"], VALUES)
        np.testing.assert_array_equal(entry.arrays["mask"], MASK)


def test_an_entry_is_known_again_by_its_seal(stored, counter):
    first = stored.open("a").get(INGREDIENTS, counter)
    store = stored.open("b")
    assert store.at(KEY).seal == first.seal
    again = stored.open("c")
    assert again.is_unchanged(KEY, first.seal)
    assert again.used == {KEY: first.seal}
    assert not again.is_unchanged(KEY, "0" * 64)
    assert not again.is_unchanged("0" * 64, first.seal)
    other = stored.open("d")
    assert other.is_unchanged(KEY, first.seal, with_arrays=False)
    assert not other.is_unchanged(KEY, "0" * 64, with_arrays=False)
    assert not other.used
    replaced = other.get(INGREDIENTS, lambda: Entry({"values": VALUES}), lambda entry: False)
    assert replaced.seal != first.seal
    assert not stored.open("e").is_unchanged(KEY, first.seal)


def test_a_sparse_matrix_comes_back_as_it_was(stored):
    matrix = sparse.random(20, 30, density=0.1, format="csr", dtype=np.float32, random_state=0)
    stored.open("a").get(INGREDIENTS, lambda: Entry({"values": matrix}))
    values = stored.open("b").array(KEY, "values")
    assert values.format == "csr"
    assert (values != matrix).nnz == 0


def test_a_file_in_the_scratch_folder_becomes_an_array(stored):
    store = stored.open("a")
    with store.scratch("0123") as folder:
        np.save(folder / "rows.npy", VALUES)
        store.get(INGREDIENTS, lambda: Entry({"values": folder / "rows.npy"}))
    np.testing.assert_array_equal(stored.open("b").array(KEY, "values"), VALUES)


def test_what_is_not_there_is_said(stored, counter):
    store = stored.open("a")
    assert (store.has(INGREDIENTS), store.load(INGREDIENTS)) == (False, None)
    assert store.manifest_at(KEY) is None
    with pytest.raises(Damaged):
        store.array(KEY, "values")
    store.get(INGREDIENTS, counter)
    with pytest.raises(Damaged, match="no array lengths"):
        store.array(KEY, "lengths")
    assert store.all_keys() == [KEY]
    assert [manifest["key"] for manifest in store.manifests_at_hand()] == [KEY]
    assert stored.open("b").has(INGREDIENTS)
    assert store.manifest_at(KEY)["seconds"] >= 0


def truncated(content: bytes) -> bytes:
    return content[:-1]


def altered(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def emptied(content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("change", [truncated, altered, emptied])
@pytest.mark.parametrize("name", ["values", "manifest"])
def test_harm_is_noticed_reported_and_mended(stored, counter, caplog, change, name):
    stored.open("a").get(INGREDIENTS, counter)
    stored.change(KEY, name, change)
    store = stored.open("b")
    assert store.load(INGREDIENTS) is None
    assert store.problem(KEY)
    mended = store.get(INGREDIENTS, counter)
    assert counter.calls == 2
    assert "damaged" in caplog.text
    np.testing.assert_array_equal(mended.arrays["values"], VALUES)
    assert stored.open("c").problem(KEY) is None


def test_an_array_that_is_gone_is_noticed_and_others_can_be_read(stored, counter, caplog):
    stored.open("a").get(INGREDIENTS, counter)
    stored.remove(KEY, "values")
    store = stored.open("b")
    np.testing.assert_array_equal(store.array(KEY, "mask"), MASK)
    with pytest.raises(Damaged):
        store.array(KEY, "values")
    store.get(INGREDIENTS, counter)
    assert counter.calls == 2
    assert "damaged" in caplog.text


def test_an_entry_that_may_not_be_used_is_replaced_without_alarm(stored, counter, caplog):
    stored.open("a").get(INGREDIENTS, counter)
    store = stored.open("b")
    assert not store.get(INGREDIENTS, counter, usable=lambda entry: False).reused
    assert counter.calls == 2
    assert caplog.text == ""


def test_a_failed_computation_keeps_nothing(stored, counter):
    store = stored.open("a")

    def fail() -> Entry:
        raise ArithmeticError("no")

    with pytest.raises(ArithmeticError):
        store.get(INGREDIENTS, fail)
    with pytest.raises(ValueError, match="allow_pickle"):
        store.get(INGREDIENTS, lambda: Entry({"values": np.array([{}], dtype=object)}))
    assert store.all_keys() == []
    assert store.clear_leftovers() == []
    store.get(INGREDIENTS, counter)
    assert counter.calls == 1


def test_groups_name_their_entries(stored):
    store = stored.open("a")
    for group, key in [("abc", "k2"), ("abc", "k1"), ("def", "k1"), ("abc", "k1")]:
        store.note(group, key)
    other = stored.open("b")
    assert (other.noted("abc"), other.noted("none")) == (["k1", "k2"], [])
    other.forget("abc", "k1")
    other.forget("abc", "k1")
    assert store.groups() == {"abc": ["k2"], "def": ["k1"]}


def test_prune_removes_damaged_and_unused_entries_only(stored, counter):
    store = stored.open("a")
    kinds = [{**INGREDIENTS, "samples": samples} for samples in ("sound", "damaged")]
    for ingredients in kinds:
        store.get(ingredients, counter)
        store.note("abc", key_of(ingredients))
    stored.change(key_of(kinds[1]), "values", altered)
    other = stored.open("b")
    assert store_command.prune(other) == [key_of(kinds[1])]
    assert (other.all_keys(), other.noted("abc")) == ([key_of(kinds[0])],) * 2
    assert store_command.prune(other, unused_days=1) == []
    assert store_command.prune(other, unused_days=-1) == [key_of(kinds[0])]
    assert (store.all_keys(), store.groups().get("abc", [])) == ([], [])


def test_an_entry_that_somebody_is_at_work_on_is_not_removed(stored, counter):
    store = stored.open("a")
    store.get(INGREDIENTS, counter)
    with stored.open("b").lock(KEY):
        assert not store.remove(KEY, lambda key: True)
    assert not store.remove(KEY, lambda key: False)
    assert store.remove(KEY, lambda key: True)
    assert not store.has(INGREDIENTS)


def _ask(stored, machine: str, calls: Path, barrier) -> None:
    def compute() -> Entry:
        with calls.open("a") as file:
            file.write("x")
        return Entry({"values": np.ones((1000, 100), dtype=np.float32)})

    store = stored.open(machine)
    barrier.wait()
    for number in range(5):
        store.get({"number": number}, compute)


def test_processes_that_ask_at_once_compute_once(stored, tmp_path):
    """Of a bucket: two machines of two processes."""
    context = multiprocessing.get_context("spawn")
    barrier, calls = context.Barrier(4), tmp_path / "calls"
    workers = [
        context.Process(target=_ask, args=(stored, machine, calls, barrier))
        for machine in ("a", "a", "b", "b")
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert calls.read_text() == "xxxxx"
    assert stored.open("c").clear_leftovers() == []


def _stop_at_work(address: str, begun) -> None:
    def compute() -> Entry:
        begun.set()
        signal.pause()
        raise AssertionError

    store_at(address).get(INGREDIENTS, compute)


def test_a_killed_writer_leaves_nothing_and_another_goes_on(stored, counter, monkeypatch):
    monkeypatch.setattr(locks, "EXPIRES", 0.3)
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    writer = context.Process(target=_stop_at_work, args=(stored.address, begun))
    writer.start()
    assert begun.wait(60)
    store = stored.open("b")
    assert not store.remove(KEY, lambda key: True)  # the writer holds it
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert not store.has(INGREDIENTS)
    store.get(INGREDIENTS, counter)
    assert counter.calls == 1
