"""A folder as store: complete keys, verified reads, atomic writes. `test_contract` has the rest."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.store import __main__ as store_command
from pipeline.store.array_file import MAPPED
from pipeline.store.folder import FolderStore
from pipeline.store.keys import canonical, key_of
from pipeline.store.manifest import MANIFEST, Entry
from tests.support.paths import ROOT

INGREDIENTS = {"kind": "features", "encoder": {"class": "Bow", "version": 1}, "train": None}


class Counter:
    """A computation that counts how often it is asked for."""

    def __init__(self, entry: Entry) -> None:
        self.calls, self.entry = 0, entry

    def __call__(self) -> Entry:
        self.calls += 1
        return self.entry


@pytest.fixture
def counter():
    return Counter(
        Entry({"values": np.arange(12, dtype=np.float32).reshape(3, 4)}, {"label": "bow"})
    )


def test_checksums_tell_arrays_by_their_content(tmp_path, counter):
    def checksum(store, ingredients, values):
        entry = store.get(ingredients, lambda: Entry({"values": values}))
        assert FolderStore(store.root).load(ingredients).checksums == entry.checksums
        return entry.checksums["values"]

    first, again = FolderStore(tmp_path / "first"), FolderStore(tmp_path / "again")
    values = counter.entry.arrays["values"]
    assert checksum(first, INGREDIENTS, values) == checksum(
        again, {**INGREDIENTS, "version": 2}, values.copy()
    )
    others = [values + 1, values.astype(np.float64), values.reshape(4, 3)]
    assert (
        len(
            {
                checksum(first, {"other": number}, other)
                for number, other in enumerate([values, *others])
            }
        )
        == 4
    )


@pytest.mark.parametrize(("numbers", "mapped"), [(MAPPED - 1, False), (MAPPED, True)])
def test_arrays_that_take_memory_stay_on_disk_and_none_can_be_written(tmp_path, numbers, mapped):
    values = (
        FolderStore(tmp_path)
        .get(INGREDIENTS, lambda: Entry({"values": np.arange(numbers)}))
        .arrays["values"]
    )
    assert isinstance(values, np.memmap) == mapped
    assert not values.flags.writeable
    np.testing.assert_array_equal(values, np.arange(numbers))


@settings(max_examples=25)
@given(array=arrays.arrays(
    dtype=st.sampled_from([np.float32, np.float64, np.int64, np.bool_]),
    shape=arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)))
def test_any_array_comes_back_as_it_was(tmp_path_factory, array):
    store = FolderStore(tmp_path_factory.mktemp("store"))
    stored = store.get({"kind": "any"}, lambda: Entry({"values": array})).arrays["values"]
    assert stored.dtype == array.dtype
    np.testing.assert_array_equal(stored, array)


@pytest.mark.parametrize("change", [
    {"kind": "other"},
    {"encoder": {"class": "Bow", "version": 2}},
    {"encoder": {"class": "Tfidf", "version": 1}},
    {"train": "abc"},
    {"another": 1},
])
def test_every_ingredient_is_part_of_the_key(tmp_path, counter, change):
    store = FolderStore(tmp_path)
    store.get(INGREDIENTS, counter)
    store.get({**INGREDIENTS, **change}, counter)
    assert counter.calls == 2


def test_the_order_of_ingredients_is_not_part_of_the_key():
    assert key_of({"a": 1, "b": {"c": 2, "d": 3}}) == key_of({"b": {"d": 3, "c": 2}, "a": 1})


def test_what_is_not_plain_json_is_no_ingredient():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})
    with pytest.raises(TypeError):
        canonical({"a": Path("x")})


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [truncate, alter, empty, Path.unlink])
@pytest.mark.parametrize("name", ["values.npy", MANIFEST])
def test_harm_is_noticed_reported_and_mended(tmp_path, counter, caplog, harm, name):
    store = FolderStore(tmp_path)
    store.get(INGREDIENTS, counter)
    harm(store.folder(key_of(INGREDIENTS)) / name)
    assert store.load(INGREDIENTS) is None
    mended = store.get(INGREDIENTS, counter)
    assert counter.calls == 2
    assert "damaged" in caplog.text
    np.testing.assert_array_equal(mended.arrays["values"], counter.entry.arrays["values"])


def test_a_manifest_whose_facts_were_edited_is_damaged(tmp_path, counter):
    store = FolderStore(tmp_path)
    store.get(INGREDIENTS, counter)
    path = store.folder(key_of(INGREDIENTS)) / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["facts"]["label"] = "tfidf"
    path.write_text(canonical(manifest))
    assert store.load(INGREDIENTS) is None


def test_a_sound_entry_moved_to_another_key_is_damaged(tmp_path, counter):
    store = FolderStore(tmp_path)
    store.get(INGREDIENTS, counter)
    other = {**INGREDIENTS, "kind": "other"}
    target = store.folder(key_of(other))
    target.parent.mkdir(parents=True, exist_ok=True)
    store.folder(key_of(INGREDIENTS)).rename(target)
    assert store.load(other) is None


def test_ls_names_each_entry_and_verify_finds_the_damaged_one(tmp_path, counter, capsys):
    store = FolderStore(tmp_path)
    store.get(INGREDIENTS, counter)
    store.get({**INGREDIENTS, "kind": "other"}, counter)
    alter(store.folder(key_of(INGREDIENTS)) / "values.npy")
    store_command.main(["ls", "--entries", "--store", str(tmp_path)])
    assert "2 entries" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        store_command.main(["--store", str(tmp_path), "verify"])
    assert stop.value.code == 1
    assert key_of(INGREDIENTS)[:12] in capsys.readouterr().out


def test_prune_removes_leftovers_damaged_and_unused_entries_only(tmp_path, counter):
    store = FolderStore(tmp_path)
    for kind in ("sound", "damaged"):
        store.get({**INGREDIENTS, "kind": kind}, counter)
    alter(store.folder(key_of({**INGREDIENTS, "kind": "damaged"})) / "values.npy")
    leftover = tmp_path / "partial" / "0123.abc"
    leftover.mkdir(parents=True)
    store_command.main(["--store", str(tmp_path), "prune", "-y"])
    assert not leftover.exists()
    assert store.entries() == [store.folder(key_of({**INGREDIENTS, "kind": "sound"}))]
    store_command.prune(FolderStore(tmp_path), unused_days=1)
    assert len(store.entries()) == 1
    store_command.prune(FolderStore(tmp_path), unused_days=0)
    assert store.entries() == []


def test_prune_leaves_a_writer_at_work_alone(tmp_path):
    store = FolderStore(tmp_path)
    leftover = tmp_path / "partial" / "0123.abc"
    leftover.mkdir(parents=True)
    with store.lock("0123"):
        assert store_command.prune(store) == []
    assert leftover.exists()


def test_removal_that_is_interrupted_leaves_no_half_of_an_entry(
    tmp_path, counter, monkeypatch, capsys, caplog
):
    store = FolderStore(tmp_path)
    store.get(INGREDIENTS, counter)

    def interrupted(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", interrupted)
        with pytest.raises(SystemExit) as stop:
            store_command.main(["--store", str(tmp_path), "prune", "--unused-days", "0", "-y"])
    assert (stop.value.code, capsys.readouterr().err) == (130, "stopped\n")
    assert store.all_keys() == []
    store.get(INGREDIENTS, counter)
    assert (counter.calls, caplog.text) == (2, "")  # nothing was damaged
    assert len(store_command.prune(store)) == 1  # what is left of it


def test_a_full_disk_on_which_nothing_can_be_moved_can_be_pruned(tmp_path, counter, monkeypatch):
    store = FolderStore(tmp_path)
    store.get(INGREDIENTS, counter)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "rename", full)
    assert store_command.prune(store, unused_days=0) == [key_of(INGREDIENTS)]
    assert store.all_keys() == []


def test_a_reader_that_stops_early_is_no_error(tmp_path, counter):
    FolderStore(tmp_path).get(INGREDIENTS, counter)
    code = (
        "import sys; from pipeline.store.__main__ import main; "
        f"sys.stdout = open(1, 'w', buffering=1); main(['--store', {str(tmp_path)!r}, 'ls'])"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
