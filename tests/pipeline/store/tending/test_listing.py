"""What a store holds, by kind and by run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.store import __main__ as store_command
from pipeline.store.folder import FolderStore
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.tending.listing import ENTRIES, Overview, entries_used


@pytest.fixture
def store(tmp_path) -> FolderStore:
    """Three texts of 800 bytes each, and one of something else of 80."""
    store = FolderStore(tmp_path / "store")
    for number in range(3):
        entry = Entry({"values": np.zeros(100)}, {"label": f"{number}"})
        store.get({"kind": "some", "number": number}, lambda entry=entry: entry)
    store.get({"kind": "other"}, lambda: Entry({"values": np.zeros(10)}))
    return store


def some(number: int) -> str:
    return key_of({"kind": "some", "number": number})


def write_run(folder, *keys: str):
    folder.mkdir(parents=True)
    (folder / ENTRIES).write_text("".join(f"{key}\n" for key in keys))
    return folder


def test_kinds_have_totals_the_largest_first(store):
    overview = Overview(store)
    assert list(overview.by_kind) == ["some", "other"]
    assert overview.by_kind["some"].entries == 3
    assert overview.by_kind["some"].bytes == 3 * (128 + 800)
    assert overview.total.entries == 4


def test_runs_have_what_they_used_and_what_none_did_is_told(store, tmp_path):
    write_run(tmp_path / "runs" / "a", some(0), some(1), key_of({"kind": "other"}))
    write_run(tmp_path / "runs" / "b", some(1), "0" * 64)  # which was pruned
    overview = Overview(store, [tmp_path / "runs"])
    counts = {
        name.rpartition("/")[2]: {kind: total.entries for kind, total in kinds.items()}
        for name, kinds in overview.by_run.items()
    }
    assert counts == {"a": {"some": 2, "other": 1}, "b": {"some": 1}}
    assert {kind: total.entries for kind, total in overview.of_no_run.items()} == {"some": 1}
    assert Overview(store, [tmp_path / "runs" / "a"]).of_no_run["some"].entries == 1


def test_a_folder_without_runs_is_refused(store, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no run that says what it used"):
        Overview(store, [tmp_path])


def test_the_command_says_the_same_to_people_and_programs(store, tmp_path, capsys):
    write_run(tmp_path / "runs" / "a", some(0))
    arguments = ["ls", str(tmp_path / "runs"), "--store", str(store.root)]
    store_command.main(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["kind", "entries", "size", "computed", "in"]
    assert lines[1].split()[:2] == ["some", "3"]
    assert lines[-1] == f"4 entries, 3 kB in {store.root}"
    store_command.main([*arguments, "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["total"]["entries"] == 4
    assert said["kinds"]["some"]["bytes"] == 3 * 928
    (run,) = said["runs"].values()
    assert run["some"]["entries"] == 1
    assert said["in no run"]["some"]["entries"] == 2


def test_a_run_used_what_it_read_and_the_shards_of_its_features(tmp_path):
    store = FolderStore(tmp_path)
    store.get({"kind": "some"}, lambda: Entry({"values": np.zeros(3)}))
    again = FolderStore(tmp_path)
    again.at(key_of({"kind": "some"}))
    again.at("0" * 64)  # there is none
    assert entries_used([], again) == {key_of({"kind": "some"})}
    again.manifest_at = lambda key: {"facts": {"shards": ["a", "b"]}} if key == "form" else None
    assert entries_used(["form", "gone"], again) == {key_of({"kind": "some"}), "form", "a", "b"}


def test_a_damaged_entry_is_a_kind_of_its_own(store):
    (store.folder(some(0)) / "manifest.json").write_text("{}")
    assert Overview(store).by_kind["damaged"].entries == 1
