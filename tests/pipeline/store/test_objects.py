"""What only a store in a bucket has: local copies, locks made of objects, a bucket that fails."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from itertools import count

import numpy as np
import pytest

from pipeline.store import __main__ as store_command
from pipeline.store.keys import key_of
from pipeline.store.manifest import MANIFEST, Damaged, Entry
from pipeline.store.objects import bucket as bucket_module
from pipeline.store.objects import leftovers, locks, object_store
from pipeline.store.objects.bucket import Bucket
from pipeline.store.objects.local_copies import LocalCopies
from pipeline.store.objects.object_store import ObjectStore
from pipeline.store.opening import store_at
from tests.support.buckets import InBucket
from tests.support.installs import uninstall
from tests.support.paths import ROOT

INGREDIENTS = {"kind": "example"}
KEY = key_of(INGREDIENTS)
VALUES = np.arange(5000, dtype=np.float64)


@pytest.fixture
def stored(tmp_path, bucket):
    return InBucket(tmp_path, bucket)


def computed(**arrays: np.ndarray) -> Entry:
    return Entry(arrays or {"values": VALUES, "mask": VALUES > 7})


def refused() -> Entry:
    raise AssertionError("it is stored")


def names(store: ObjectStore, key: str = KEY) -> set[str]:
    """What there is of an entry in the local folder, without its writer."""
    return {path.name.rpartition("-")[2] for path in store.cache.folder(key).glob("*")}


# Local copies


def test_only_the_array_that_is_asked_for_is_copied(stored):
    stored.open("a").get(INGREDIENTS, computed)
    store = stored.open("b")
    store.array(KEY, "mask")
    assert names(store) == {MANIFEST, "mask.npy"}
    store.read(KEY)
    assert names(store) == {MANIFEST, "mask.npy", "values.npy"}


def test_what_was_written_or_read_here_is_not_asked_of_the_bucket_again(stored, monkeypatch):
    stored.open("a").get(INGREDIENTS, computed)
    stored.open("b").read(KEY)
    monkeypatch.delattr(Bucket, "fetch")
    monkeypatch.delattr(Bucket, "read")
    for machine in ("a", "b"):
        np.testing.assert_array_equal(stored.open(machine).array(KEY, "values"), VALUES)


def test_large_objects_come_in_pieces_and_go_in_parts(stored, monkeypatch):
    large = np.arange(1_200_000, dtype=np.float64)  # 9.6 MB: two parts
    stored.open("a").get(INGREDIENTS, lambda: computed(values=large))
    monkeypatch.setattr(bucket_module, "CHUNK", 999_999)
    values = stored.open("b").array(KEY, "values")
    assert isinstance(values, np.memmap)
    np.testing.assert_array_equal(values, large)


def test_a_local_copy_that_was_harmed_is_copied_again(stored):
    store = stored.open("a")
    store.get(INGREDIENTS, computed)
    for path in store.cache.folder(KEY).glob("*"):
        path.write_bytes(path.read_bytes()[:-1])
    entry = stored.open("a").get(INGREDIENTS, refused)
    np.testing.assert_array_equal(entry.arrays["values"], VALUES)


def test_a_manifest_that_names_a_file_elsewhere_is_damaged(stored):
    def elsewhere(content: bytes) -> bytes:
        from pipeline.store.keys import canonical
        from pipeline.store.manifest import parsed, sealed

        manifest = parsed(content)
        del manifest["sha256"]
        manifest["files"]["values"]["file"] = "../../values.npy"
        return sealed(canonical(manifest)).encode()

    stored.open("a").get(INGREDIENTS, computed)
    stored.change(KEY, "manifest", elsewhere)
    with pytest.raises(Damaged, match="names the file"):
        stored.open("b").read(KEY)


def test_a_replaced_entry_is_read_anew_where_not_all_of_it_was_copied(stored):
    stored.open("a").get(INGREDIENTS, computed)
    store = stored.open("b")
    store.array(KEY, "mask")
    replaced = computed(values=VALUES + 1, mask=VALUES > 8)
    stored.open("c").get(INGREDIENTS, lambda: replaced, usable=lambda entry: False)
    entry = store.read(KEY)
    np.testing.assert_array_equal(entry.arrays["values"], VALUES + 1)
    np.testing.assert_array_equal(entry.arrays["mask"], VALUES > 8)
    assert len(list(store.cache.folder(KEY).glob("*"))) == 3


def test_copies_not_used_for_longest_go_and_what_is_open_stays_readable(tmp_path, bucket):
    store = ObjectStore(bucket, LocalCopies(tmp_path / "small", 100_000))
    entries = [{"number": number} for number in range(4)]
    large = np.arange(2**14 + 1, dtype=np.uint16)  # mapped; three entries do not fit
    first = store.get(entries[0], lambda: computed(values=large))
    store.get(entries[1], lambda: computed(values=large))
    for entry in entries[:2]:
        os.utime(store.cache.folder(key_of(entry)) / MANIFEST, (0, 0))
    store.load(entries[0])
    store.get(entries[2], lambda: computed(values=large))
    assert [bool(names(store, key_of(entry))) for entry in entries] == [True, False, True, False]
    store.get(entries[3], lambda: computed(values=np.arange(30_000.0)))
    assert [bool(names(store, key_of(entry))) for entry in entries] == [False] * 3 + [True]
    np.testing.assert_array_equal(first.arrays["values"], large)
    assert store.get(entries[1], refused).reused


def test_a_copy_that_is_being_made_is_not_cleared(stored):
    copies = stored.open("a").cache
    with copies.scratch("at-work") as at_work, copies.scratch("dead") as dead:
        os.utime(dead, (0, 0))
        assert stored.open("b").clear_leftovers() == []
        assert stored.open("a").clear_leftovers() == [dead.name]
        assert at_work.is_dir()


def test_the_bound_is_a_number(bucket, monkeypatch):
    monkeypatch.setenv("MODALGRID_CACHE_BYTES", "50 GB")
    with pytest.raises(OSError, match="whole number of bytes, not '50 GB'"):
        ObjectStore(bucket)


# Locks


def test_a_holder_that_was_only_slow_loses_and_takes_the_entry_that_is_there(stored, monkeypatch):
    monkeypatch.setattr(locks, "EXPIRES", 0.0)
    entries = []

    def slowly() -> Entry:
        entries.append(stored.open("b").get(INGREDIENTS, lambda: computed(values=VALUES + 1)))
        return computed(values=VALUES)

    entries.append(stored.open("a").get(INGREDIENTS, slowly))
    for entry in entries:
        np.testing.assert_array_equal(entry.arrays["values"], VALUES + 1)
    left = Bucket(stored.address).listed("")
    assert sorted(path.partition("/")[0] for path, _, _ in left) == ["entries", "manifests"]


def test_a_holder_shows_that_it_lives(bucket, monkeypatch):
    monkeypatch.setattr(locks, "HEARTBEAT", 0.001)
    objects = Bucket(bucket)
    with locks.held(objects, "key"):
        contents = {objects.read("locks/key/0000000001") for _ in range(200)}
        assert len(contents) > 1
        assert len({content.split()[0] for content in contents}) == 1
    assert list(objects.listed("locks")) == []


def test_silence_is_counted_from_when_a_content_was_first_seen(bucket, monkeypatch):
    clock = count(0.0, 20.0)
    monkeypatch.setattr(locks.time, "monotonic", lambda: next(clock))
    objects = Bucket(bucket)
    watch, path = locks._Watch(objects), "locks/key/0000000001"
    assert not watch.is_silent(path)
    objects.put(path, b"a 0")
    assert [watch.is_silent(path) for _ in range(2)] == [False, False]  # 0 and 20 seconds
    objects.put(path, b"a 1")
    assert [watch.is_silent(path) for _ in range(3)] == [False, False, True]


def test_of_those_who_wait_for_a_dead_holder_one_goes_on_at_a_time(bucket, monkeypatch):
    dead = "locks/key/0000000007"
    monkeypatch.setattr(locks._Watch, "is_silent", lambda self, path: path == dead)
    objects = Bucket(bucket)
    assert objects.create(dead, b"dead 0")
    at_work, most = [], []

    def work() -> None:
        with locks.held(Bucket(bucket), "key"):
            at_work.append(1)
            most.append(len(at_work))
            for _ in range(3):
                objects.read("count")
            at_work.pop()

    objects.put("count", b"0")
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]
    assert list(objects.listed("locks")) == []


def test_a_lock_that_was_taken_over_is_left_to_its_new_holder(bucket, monkeypatch):
    monkeypatch.setattr(locks, "HEARTBEAT", 0.001)
    objects, path = Bucket(bucket), "locks/key/0000000001"
    with locks.held(objects, "key"):
        objects.put(path, b"another 0")
        for thread in threading.enumerate():
            if thread.name == "lock key":
                thread.join(60)
    assert objects.read(path) == b"another 0"


def test_a_request_that_was_sent_twice_is_not_taken_for_another(bucket):
    objects = Bucket(bucket)
    assert [objects.create("path", content) for content in (b"a", b"a", b"b")] == [
        True, True, False
    ]


# What is left, the commands, and buckets that fail


def test_leftovers_go_when_they_are_old_and_entries_stay(stored, monkeypatch):
    store, objects = stored.open("a"), Bucket(stored.address)
    store.get(INGREDIENTS, computed)
    left = [f"entries/{KEY[:2]}/{KEY}/other-values.npy", "entries/01/0123/w-values.npy"]
    for path in [*left, "locks/0123/0000000001"]:
        objects.put(path, b"x")
    assert store.clear_leftovers() == []
    assert store.leftovers() == {}
    monkeypatch.setattr(object_store, "DAY", -1.0)
    monkeypatch.setattr(leftovers, "SILENCE", -1.0)
    assert set(store.leftovers()) == {*left, "locks/0123/0000000001"}
    assert sorted(store.clear_leftovers()) == sorted([*left, "locks/0123/0000000001"])
    assert store.problem(KEY) is None


def test_the_store_command_takes_a_bucket(stored, bucket, capsys):
    store_at.cache_clear()
    with pytest.raises(SystemExit, match="2"):
        store_command.main(["--store", bucket, "ls"])
    assert "there is no store at s3://" in capsys.readouterr().err
    stored.open("a").get(INGREDIENTS, computed)
    stored.open("a").get({"kind": "other"}, computed)
    stored.change(KEY, "values", lambda content: content[:-1])
    store_command.main(["--store", bucket, "ls"])
    assert "2 entries" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        store_command.main(["--store", bucket, "verify"])
    assert stop.value.code == 1
    assert f"{KEY[:12]}  damaged" in capsys.readouterr().out
    store_command.main(["--store", bucket, "prune", "--yes"])
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{KEY[:12]}  damaged: ")
    assert said[1].startswith("to remove: 1 entry, ")
    assert said[2] == "removed 1 entry"
    with pytest.raises(SystemExit, match="2"):
        store_command.main(["--store", "s3://no-such-bucket", "ls"])
    assert "stopped: s3://no-such-bucket cannot be used" in capsys.readouterr().err


def test_a_store_that_can_be_written_is_made_again_and_again(bucket):
    store = ObjectStore(bucket)
    assert not store.is_made
    store.make()
    store.make()
    assert store.is_made


def test_a_bucket_that_ignores_conditions_is_refused(bucket, monkeypatch):
    monkeypatch.setattr(Bucket, "create", lambda *_: True)
    with pytest.raises(OSError, match="If-None-Match"):
        ObjectStore(bucket).make()


def test_an_endpoint_that_does_not_answer_is_named(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setitem(bucket_module.RETRIES, "max_retries", 1)
    store = ObjectStore(bucket)
    for ask in (store.make, lambda: store.is_made, lambda: store.load(INGREDIENTS)):
        with pytest.raises(OSError, match=r"127\.0\.0\.1:9.*AWS_ENDPOINT_URL") as error:
            ask()
        assert "\n" not in str(error.value)


def test_an_address_of_no_kind_is_refused():
    with pytest.raises(OSError, match="nowhere://bucket cannot be used"):
        store_at("nowhere://bucket")


def test_a_library_that_is_missing_is_named_with_what_installs_it(monkeypatch):
    uninstall(monkeypatch, "obstore")
    with pytest.raises(OSError, match=r'pip install "modalgrid\[objects\]"'):
        ObjectStore("s3://bucket")


def test_a_store_in_a_folder_needs_no_library_for_buckets():
    code = (
        "import sys; from pipeline.store.opening import store_at; store_at('x'); "
        "print([name for name in sys.modules if name.startswith(('obstore', 'pipeline.store.ob'))])"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout == b"[]\n"


def test_a_server_that_cannot_make_sure_that_an_object_is_new_is_no_store():
    bucket = Bucket("http://127.0.0.1:9/store")
    with pytest.raises(OSError, match=r"9/store cannot be used.*not yet implemented"):
        bucket.create("a", b"")
