"""Entries whose seals are right and that say what no sound entry says: they are damaged."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from pipeline.store import __main__ as store_command
from pipeline.store.checks.csr import read_csr
from pipeline.store.checks.layouts import LAYOUTS
from pipeline.store.files import sha256
from pipeline.store.folder import FolderStore
from pipeline.store.keys import canonical, key_of
from pipeline.store.manifest import MANIFEST, Damaged, Entry, parsed, sealed

Change = Callable[[dict[str, Any]], object]
INGREDIENTS = {"kind": "example", "version": 1}
KEY = key_of(INGREDIENTS)


def computed() -> Entry:
    return Entry(
        {"values": np.arange(6.0).reshape(2, 3), "counts": sparse.csr_matrix(np.eye(3))},
        {"label": "an example", "work": 2, "class": "Example"},
    )


def forged(store: FolderStore, key: str, change: Change) -> None:
    """Change a manifest, and seal it as its writer would."""
    path = store.folder(key) / MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["sha256"]
    change(manifest)
    path.write_text(sealed(json.dumps(manifest, sort_keys=True, separators=(",", ":"))))


def replaced(store: FolderStore, key: str, name: str, content: bytes) -> None:
    """Put other bytes in place of an array, and its checksum into the manifest."""
    manifest = store.manifest(key)
    path = store.folder(key) / manifest["files"][name]["file"]
    path.write_bytes(content)

    def change(manifest: dict[str, Any]) -> None:
        manifest["files"][name] |= {"bytes": len(content), "sha256": sha256(path)}

    forged(store, key, change)


FORGED: dict[str, Change] = {
    "no files": lambda manifest: manifest.pop("files"),
    "no facts": lambda manifest: manifest.pop("facts"),
    "no format": lambda manifest: manifest.pop("format"),
    "no seconds": lambda manifest: manifest.pop("seconds"),
    "seconds of text": lambda manifest: manifest.update(seconds="1"),
    "nan seconds": lambda manifest: manifest.update(seconds=float("nan")),
    "facts are a list": lambda manifest: manifest.update(facts=[1]),
    "files are a list": lambda manifest: manifest.update(files=[]),
    "label is a number": lambda manifest: manifest["facts"].update(label=3),
    "work is a text": lambda manifest: manifest["facts"].update(work="much"),
    "shards elsewhere": lambda manifest: manifest["facts"].update(shards=["../../../etc"]),
    "file above": lambda manifest: manifest["files"]["values"].update(file="../../values.npy"),
    "file anywhere": lambda manifest: manifest["files"]["values"].update(file="/etc/passwd"),
    "file is the folder": lambda manifest: manifest["files"]["values"].update(file="."),
    "file without its name": lambda manifest: manifest["files"]["values"].pop("file"),
    "negative bytes": lambda manifest: manifest["files"]["values"].update(bytes=-1),
    "negative shape": lambda manifest: manifest["files"]["values"].update(shape=[-1, 3]),
    "more than the file": lambda manifest: manifest["files"]["values"].update(shape=[2**40, 3]),
    "objects": lambda manifest: manifest["files"]["values"].update(dtype="object"),
    "no dtype": lambda manifest: manifest["files"]["values"].update(dtype="float32, float32"),
    "checksum of another form": lambda manifest: manifest["files"]["values"].update(sha256="x"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_manifest_is_damaged_for_every_reader(tmp_path, caplog, capsys, name):
    store = FolderStore(tmp_path)
    store.get(INGREDIENTS, computed)
    forged(store, KEY, FORGED[name])
    fresh = FolderStore(tmp_path)
    assert fresh.load(INGREDIENTS) is None
    assert fresh.problem(KEY)
    assert list(fresh.manifests_at_hand()) == []
    for command in (["ls", "--entries"], ["verify"]):
        with pytest.raises(SystemExit) if command == ["verify"] else caplog.at_level(0):
            store_command.main(["--store", str(tmp_path), *command])
        assert f"{KEY[:12]}  damaged: " in capsys.readouterr().out
    with caplog.at_level(logging.WARNING):
        again = FolderStore(tmp_path).get(INGREDIENTS, computed)
    assert "is damaged" in caplog.text
    assert again.arrays["values"].tolist() == [[0, 1, 2], [3, 4, 5]]
    forged(store, KEY, FORGED[name])
    assert store_command.prune(FolderStore(tmp_path)) == [KEY]


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{"format": b"csr", "shape": [3, 3], **arrays})
    return file.getvalue()


SOUND = {"data": np.ones(3), "indices": np.arange(3), "indptr": np.arange(4)}
WILD = {
    "column beyond": npz(**SOUND | {"indices": np.array([0, 1, 2**30])}),
    "column below": npz(**SOUND | {"indices": np.array([0, 1, -5])}),
    "ends beyond": npz(**SOUND | {"indptr": np.array([0, 1, 2, 2**30])}),
    "ends that fall": npz(**SOUND | {"indptr": np.array([0, 3, 1, 3])}),
    "ends below": npz(**SOUND | {"indptr": np.array([-4, 1, 2, 3])}),
    "too few ends": npz(**SOUND | {"indptr": np.arange(3)}),
    "fewer columns than numbers": npz(**SOUND | {"indices": np.arange(2)}),
    "columns are no whole numbers": npz(**SOUND | {"indices": np.arange(3.0)}),
    "data of objects": npz(**SOUND | {"data": np.array([{}], dtype=object)}),
    "another format": npz(**SOUND | {"format": b"dia"}),
    "a shape below zero": npz(**SOUND, shape=[-3, 3]),
    "a shape of three": npz(**SOUND, shape=[3, 3, 3]),
    "no shape": npz(**SOUND, shape=np.zeros(0)),
    "no matrix": npz(a=np.ones(3)),
    "no archive": b"PK\x03\x04 and no more",
    "nothing": b"",
}


@pytest.mark.parametrize("name", WILD)
def test_a_sealed_matrix_whose_indices_are_wild_is_damaged(tmp_path, name):
    store = FolderStore(tmp_path)
    store.get(INGREDIENTS, computed)
    replaced(store, KEY, "counts", WILD[name])
    with pytest.raises(Damaged):
        FolderStore(tmp_path).read(KEY)
    with pytest.raises(Damaged):
        FolderStore(tmp_path).array(KEY, "counts")
    mended = FolderStore(tmp_path).get(INGREDIENTS, computed)
    assert mended.arrays["counts"].toarray().tolist() == np.eye(3).tolist()


def test_a_packed_matrix_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    sparse.save_npz(path, sparse.csr_matrix(np.eye(3)), compressed=True)
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].compress_type == zipfile.ZIP_DEFLATED
    with pytest.raises(ValueError, match="it is compressed"):
        read_csr(path)


OBJECTS = b"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}"


@pytest.mark.parametrize("content", [
    b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00\x38\x00" + OBJECTS, b"\x93NUMPY\x01\x00\xff\xff",
    npz(**SOUND),
])
def test_a_sealed_array_of_anything_else_is_damaged(tmp_path: Path, content: bytes) -> None:
    store = FolderStore(tmp_path)
    store.get(INGREDIENTS, computed)

    def change(manifest: dict[str, Any]) -> None:
        manifest["files"]["values"]["shape"] = [0]

    replaced(store, KEY, "values", content)
    forged(store, KEY, change)
    with pytest.raises(Damaged):
        FolderStore(tmp_path).read(KEY)


FOLDS = {
    "numbers": np.zeros((1, 2), np.int64),
    "outer": np.array([[1, 2]], np.int8),
    "inner": np.array([[0, -1]], np.int16),
}
CONTEXT = {"labels": np.array([0, 1]), "index_text": np.array([0, -1]), **FOLDS}
SHARD = {"values": np.zeros((2, 3), np.float32), "digests": np.zeros((2, 32), np.uint8)}
SOUND_ENTRIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "result": (
        {"probabilities": np.ones((2, 3)), "inner": np.ones((4, 3))},
        {"parameters": {}, "fit_seconds": 1.0, "predict_seconds": 0.0},
    ),
    "combination": (
        {"probabilities": np.ones((2, 3))},
        {"weights": [0.5, 0.5], "fit_seconds": 1.0, "predict_seconds": 0.0},
    ),
    "features": (
        {"shard": np.zeros(2, np.int32), "row": np.arange(2, dtype=np.int32)},
        {"shards": ["0" * 64], "shape": [2, 3]},
    ),
    "shard": (SHARD, {"encode_seconds": 1.0}),
    "texts": ({"bytes": np.zeros(4, np.uint8), "ends": np.array([1, 4])}, {}),
    "folds": (FOLDS, {}),
    "context": (CONTEXT, {"classes": 2, "tuning_metric": "log_loss"}),
    "near duplicates": ({"pairs": np.zeros((3, 2), np.int64)}, {}),
}
HARMED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("result", {"probabilities": np.ones(2)}, {}),
    ("result", {"probabilities": np.ones((2, 4))}, {}),
    ("result", {"probabilities": np.array([["a"]])}, {}),
    ("result", {}, {"parameters": None}),
    ("result", {}, {"fit_seconds": "long"}),
    ("combination", {}, {"weights": [{}]}),
    ("features", {"shard": np.array([0, 1], np.int32)}, {}),
    ("features", {"row": np.array([0, -1], np.int32)}, {}),
    ("features", {"row": np.arange(3, dtype=np.int32)}, {}),
    ("features", {}, {"shape": None}),
    ("features", {}, {"shape": [9, 3]}),
    ("shard", {"digests": np.zeros((2, 31), np.uint8)}, {}),
    ("shard", {"digests": np.zeros((3, 32), np.uint8)}, {}),
    ("shard", {}, {"encode_seconds": None}),
    ("shard", {"columns": np.zeros(2, np.uint8), "column_ends": np.array([1, 2, 9])}, {}),
    ("texts", {"ends": np.array([1, 5])}, {}),
    ("texts", {"ends": np.array([3, 1])}, {}),
    ("texts", {"ends": np.array([-1, 4])}, {}),
    ("folds", {"outer": np.array([[2, 2]], np.int8)}, {}),
    ("folds", {"outer": np.array([[1, 7]], np.int8)}, {}),
    ("folds", {"inner": np.array([[0]], np.int16)}, {}),
    ("context", {"labels": np.array([0, 2])}, {}),
    ("context", {"index_text": np.array([0, -2])}, {}),
    ("context", {"index_text": np.array([0])}, {}),
    ("context", {}, {"classes": "2"}),
    ("near duplicates", {"pairs": np.array([[0, -1]])}, {}),
]


@pytest.mark.parametrize("kind", SOUND_ENTRIES)
def test_sound_entries_of_every_kind_are_read(tmp_path, kind):
    store = FolderStore(tmp_path)
    entry = Entry(*SOUND_ENTRIES[kind])
    assert FolderStore(tmp_path).load({"kind": kind}) is None
    store.get({"kind": kind}, lambda: entry)
    assert FolderStore(tmp_path).load({"kind": kind}).arrays.keys() == entry.arrays.keys()


@pytest.mark.parametrize(("kind", "arrays", "facts"), HARMED)
def test_entries_that_their_readers_could_not_use_are_damaged(tmp_path, kind, arrays, facts):
    sound_arrays, sound_facts = SOUND_ENTRIES[kind]
    store = FolderStore(tmp_path)
    key = key_of({"kind": kind})
    # as the store itself would write it, for whoever may write there
    with store.lock(key):
        store._save(
            key, {"kind": kind}, Entry({**sound_arrays, **arrays}, {**sound_facts, **facts}), 0.0
        )
    assert store.problem(key)
    assert store.load({"kind": kind}) is None


def test_every_kind_that_is_written_has_a_layout():
    kinds = {"library", "marker"}  # facts alone, and nothing
    source = Path(store_command.__file__).parents[1]
    for path in source.rglob("*.py"):
        lines = [line for line in path.read_text().splitlines() if '"kind": "' in line]
        kinds |= {line.partition('"kind": "')[2].partition('"')[0] for line in lines}
    assert kinds - LAYOUTS.keys() == {"library", "marker"}


def test_a_group_that_names_an_entry_of_another_kind_is_pruned_without_it(store):
    store.get(INGREDIENTS, computed)
    store.note(key_of({"kind": "shard"}), KEY)
    assert store_command.prune(store) == []
    assert store.load(INGREDIENTS) is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.data())
def test_whatever_a_sealed_manifest_says_is_read_or_damaged(data):
    about = {"file": "values.npy", "shape": [2], "dtype": "int64", "bytes": 144, "sha256": "0" * 64}
    manifest: dict[str, Any] = {
        "format": 1, "key": KEY, "ingredients": INGREDIENTS, "files": {"values": about},
        "facts": {"label": "x"}, "seconds": 1.0, "created": 1.0,
        "machine": "2 cores",
    }
    target = data.draw(st.sampled_from([manifest, about, manifest["facts"]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    try:
        content = sealed(canonical(manifest)).encode()
    except ValueError:
        return
    try:
        assert parsed(content)["files"] == manifest["files"]
    except Damaged:
        return
