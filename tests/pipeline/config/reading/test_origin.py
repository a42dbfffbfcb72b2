"""A lock file runs where it lies: its paths count from the folder of its grid file."""

from __future__ import annotations

import pytest

from pipeline.config.grid import GridError
from pipeline.config.reading.origin import grid_file_of
from tests.support.tiny import (
    TEXT_GRID,
    register,
    results,
    run_grid,
    without_report,
    write_grid,
    write_table,
)


@pytest.fixture
def ran(tmp_path, monkeypatch):
    register(monkeypatch)
    without_report(monkeypatch)
    write_table(tmp_path)
    write_grid(tmp_path, TEXT_GRID)
    assert run_grid(tmp_path) == 0
    return tmp_path


def test_a_lock_file_runs_where_it_lies_again_and_again(ran, capsys):
    from pipeline.run import main

    lock, first = ran / "out" / "grid.lock.yaml", results(ran)
    text = lock.read_text()
    for out in ("out", "out", "elsewhere/again"):
        arguments = [str(lock), "--store", str(ran / "store"), "--out", str(ran / out)]
        capsys.readouterr()
        assert main(arguments) == 0
        assert "results: 0 computed" in capsys.readouterr().err
        assert results(ran, out) == first
        assert (ran / out / "grid.lock.yaml").read_text() == text
    copied = ran / "elsewhere" / "again" / "grid.lock.yaml"
    assert grid_file_of(copied) == ran / "grid.yaml"


def test_a_lock_file_alone_is_a_grid_file_like_any_other(ran):
    (ran / "out" / "origin.json").unlink()
    lock = ran / "out" / "grid.lock.yaml"
    assert grid_file_of(lock) == lock
    assert grid_file_of(ran / "grid.yaml") == ran / "grid.yaml"


WRONG = ["", "[]", "{}", '{"grid": 3}', '{"grid": "a\\u0000b"}', "[" * 10**5]


@pytest.mark.parametrize("content", WRONG)
def test_what_does_not_say_where_is_named(tmp_path, content):
    (tmp_path / "origin.json").write_text(content)
    with pytest.raises(GridError, match=r"origin\.json does not say where"):
        grid_file_of(tmp_path / "grid.lock.yaml")
