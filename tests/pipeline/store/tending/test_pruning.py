"""What goes when a store is pruned: said before, asked for, and only with a terminal."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.store import __main__ as store_command
from pipeline.store.folder import FolderStore
from pipeline.store.manifest import Entry
from pipeline.store.tending.pruning import stale


@pytest.fixture
def store(tmp_path) -> FolderStore:
    """Twelve entries, and what an interrupted writer left."""
    store = FolderStore(tmp_path)
    for number in range(12):
        entry = Entry({"values": np.zeros(100)})
        store.get({"kind": "some", "number": number}, lambda entry=entry: entry)
    leftover = tmp_path / "partial" / "0123.abc"
    leftover.mkdir(parents=True)
    (leftover / "values.npy").write_bytes(bytes(70))
    return store


def prune(store: FolderStore, *options: str) -> int:
    try:
        store_command.main(["prune", "--store", str(store.root), *options])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def answering(monkeypatch, answer: str) -> None:
    monkeypatch.setattr(store_command.sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: answer)


@pytest.mark.parametrize("verb", ["ls", "verify", "prune"])
def test_where_there_is_no_store_it_says_so_and_ends_as_all_commands_do(verb, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        store_command.main([verb, "--store", str(tmp_path / "none")])
    assert stop.value.code == 2
    assert "there is no store at" in capsys.readouterr().err


def test_an_entry_that_somebody_removes_meanwhile_is_not_unused(store, monkeypatch):
    def vanished(self, key):
        raise FileNotFoundError(key)

    monkeypatch.setattr(FolderStore, "idle_days", vanished)
    assert [of.name for of in stale(store, unused_days=1)] == ["0123.abc"]


def test_a_stray_file_among_the_leftovers_stays(store, capsys):
    stray = store.root / "partial" / ".DS_Store"
    stray.write_text("of the file manager")
    assert prune(store, "-y") == 0
    assert store.leftovers() == {}
    assert stray.exists()


def test_leftovers_are_told_with_their_size(store):
    assert list(stale(store)) == [("0123.abc", 70, "left by an interrupted writer")]


def test_a_dry_run_says_how_much_would_go_and_removes_nothing(store, capsys):
    assert prune(store, "--unused-days", "-1", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12  # ten entries, how many more, and the total
    assert lines[-2] == "... and 3 more"
    assert lines[-1] == f"to remove: 13 entries, {(12 * 928 + 70) / 1000:.0f} kB"
    assert len(store.entries()) == 12
    assert store.leftovers() == {"0123.abc": 70}


def test_without_a_terminal_nobody_is_asked_and_nothing_goes(store, capsys, monkeypatch):
    monkeypatch.setattr(store_command.sys.stdin, "isatty", lambda: False)
    assert prune(store, "--unused-days", "-1") == 2
    assert "say -y to remove it, or --dry-run only to look" in capsys.readouterr().err
    assert len(store.entries()) == 12


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("YES", 0), ("", 12), ("n", 12)])
def test_at_a_terminal_it_goes_with_a_yes_only(store, monkeypatch, answer, left):
    answering(monkeypatch, answer)
    prune(store, "--unused-days", "-1")
    assert len(store.entries()) == left


def test_with_yes_nobody_is_asked(store, capsys):
    assert prune(store, "-y") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "removed 1 entry"
    assert (len(store.entries()), store.leftovers()) == (12, {})


def test_where_nothing_goes_nobody_is_asked(store, capsys):
    assert prune(store, "-y") == 0
    assert prune(store) == 0
    assert "there is nothing to remove" in capsys.readouterr().out
