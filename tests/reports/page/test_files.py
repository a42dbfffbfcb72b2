"""Files that are there whole or not at all."""

from __future__ import annotations

import os

import pytest

from reports.page.files import write_whole


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
