"""A run's folder: read as it was written, or refused with the file and what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.bundle import main as bundle
from pipeline.compare import main as compare
from pipeline.config.grid import GridError
from pipeline.use.finished_run import FinishedRun
from pipeline.use.problem import BundleError


@pytest.fixture
def run(made, tmp_path: Path) -> Path:
    """A copy of a finished run."""
    return Path(shutil.copytree(made.run, tmp_path / "run"))


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 0x80
    path.write_bytes(content)


def without_checksums(run: Path) -> None:
    """As versions before wrote it."""
    content = json.loads((run / "origin.json").read_text())
    del content["sha256"]
    (run / "origin.json").write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["grid.lock.yaml", "verdict.json", "scores.csv"])
@pytest.mark.parametrize("position", [0, 200, -2])
def test_what_was_changed_is_refused_by_name(run, name, position):
    assert FinishedRun.at(run).cell_name("best")
    flip(run / name, position)
    with pytest.raises(BundleError, match=f"its {name} was changed .*: run the grid again"):
        FinishedRun.at(run)


@pytest.mark.parametrize("name", ["verdict.json", "origin.json", "grid.lock.yaml"])
@pytest.mark.parametrize("content", [b"", b"[1]", b"{}", b"\xff{", b"[" * 100_000])
def test_damage_of_a_run_of_before_is_refused_too(run, name, content):
    without_checksums(run)
    assert FinishedRun.at(run).grid.name == "tiny"
    (run / name).write_bytes(content)
    with pytest.raises((BundleError, GridError), match=rf"its {name} |grid\.yaml: data"):
        assert FinishedRun.at(run).grid


def test_commands_say_so_in_words(run, made, tmp_path, capsys):
    flip(run / "scores.csv", -2)
    assert bundle([str(run), "-o", str(tmp_path / "m")]) == 2
    assert "its scores.csv was changed since the run" in capsys.readouterr().err
    assert compare([str(run), str(made.run), "--out", str(tmp_path / "c")]) == 2
    assert "its scores.csv was changed since the run" in capsys.readouterr().err
    without_checksums(run)
    assert compare([str(run), str(made.run), "--out", str(tmp_path / "c")]) == 2
    assert "damaged" in capsys.readouterr().err
