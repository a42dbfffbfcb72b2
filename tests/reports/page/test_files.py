"""Files that are there whole or not at all."""

from __future__ import annotations

import os

import pytest

from reports.page.files import aside_of, write_whole

DEAD = 2**22 + 1  # no process of Linux has such a number


def test_a_file_is_moved_into_place_when_it_is_on_the_disk(tmp_path, monkeypatch):
    path = tmp_path / "scores.csv"
    path.write_text("earlier")
    flushed = []

    def flush(descriptor):
        flushed.append((path.read_text(), os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", flush)
    write_whole(path, lambda aside: aside.write_bytes(b"the new one"))
    assert flushed == [("earlier", len(b"the new one"))]
    assert path.read_bytes() == b"the new one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("earlier")

    def half(aside):
        aside.write_text("half")
        raise ValueError("no more rows")

    with pytest.raises(ValueError, match="no more rows"):
        write_whole(path, half)
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "x.txt", lambda aside: aside.write_text("x"))


def test_what_killed_processes_left_beside_a_file_goes(tmp_path):
    path = tmp_path / "model [1]"
    names = [f"{aside_of(path).name.rpartition('-')[0]}-{owner}" for owner in (DEAD, 1, "x")]
    (tmp_path / names[0]).mkdir()
    (tmp_path / names[0] / "weights").touch()
    for name in (*names[1:], f".model.unfinished-here-{DEAD}"):
        (tmp_path / name).touch()
    assert aside_of(path) == path.with_name(f"{names[0].rpartition('-')[0]}-{os.getpid()}")
    left = {item.name for item in tmp_path.iterdir()}
    assert left == {*names[1:], f".model.unfinished-here-{DEAD}"}  # of who lives, and of others
