"""Paths below a home folder; those of nobody stay as they are written."""

from __future__ import annotations

from pathlib import Path

from features.machine.home import expanded


def test_the_home_folder_of_a_known_user_is_put_in(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/x.csv") == tmp_path / "x.csv"
    assert expanded(Path("a/~b")) == Path("a/~b")


def test_a_user_that_there_is_not_is_no_error():
    assert expanded("~nobody-is-called-this/x.csv") == Path("~nobody-is-called-this/x.csv")
