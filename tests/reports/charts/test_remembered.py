"""What is remembered is this user's own, whole, and not for ever."""

from __future__ import annotations

import os
import stat

import pytest

from reports.charts import remembered as module
from reports.charts.remembered import private_folder, remembered


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "private_folder", lambda: tmp_path)
    return tmp_path


def test_a_text_is_made_once_for_each_key(folder):
    made = []
    for key in ("a", "b", "a"):
        assert remembered(key, lambda key=key: made.append(key) or f"text\nof {key}") == (
            f"text\nof {key}"
        )
    assert made == ["a", "b"]


@pytest.mark.parametrize("damage", [b"", b"\xff", b"other\ntext"])
def test_a_damaged_text_is_made_again(folder, damage):
    remembered("a", lambda: "text")
    [path] = folder.iterdir()
    path.write_bytes(damage)
    assert remembered("a", lambda: "anew") == "anew"
    assert remembered("a", lambda: pytest.fail("made twice")) == "anew"


def test_the_texts_that_were_not_asked_for_longest_are_forgotten(folder, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    for age, key in enumerate("abc"):
        remembered(key, lambda key=key: key)
        for path in folder.iterdir():
            os.utime(path, (age, age)) if path.stat().st_mtime > 100 else None
    assert remembered("c", lambda: "anew") == "c"
    assert remembered("a", lambda: "anew") == "anew"


def test_without_a_folder_or_room_texts_are_made_each_time(folder, monkeypatch):
    monkeypatch.setattr(module, "_write", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    assert [remembered("a", lambda: "text") for _ in range(2)] == ["text", "text"]
    monkeypatch.setattr(module, "private_folder", lambda: None)
    assert remembered("a", lambda: "text") == "text"


@pytest.mark.skipif(os.name != "posix", reason="other systems have a folder for each user")
def test_the_folder_is_this_users_alone():
    status = private_folder().stat()
    assert status.st_uid == os.getuid()
    assert stat.S_IMODE(status.st_mode) == 0o700
