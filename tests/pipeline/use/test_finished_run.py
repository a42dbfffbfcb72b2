"""A run's folder: read as it was written, or refused with the file and what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.bundle import main as bundle
from pipeline.compare import main as compare
from pipeline.config.grid import GridError
from pipeline.use.bundle import Bundle
from pipeline.use.finished_run import FinishedRun
from pipeline.use.problem import BundleError
from tests.pipeline.use.conftest import OF_BOTH


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


@pytest.mark.parametrize(("content", "reason"), [
    (None, "has no predictions.parquet"),
    (b"", "its predictions.parquet is damaged"),
    (b"PAR1 and no more", "its predictions.parquet is damaged"),
])
def test_predictions_that_cannot_be_read_are_refused_before_the_fit(
    run, tmp_path, capsys, content, reason
):
    (run / "predictions.parquet").unlink()
    if content is not None:
        (run / "predictions.parquet").write_bytes(content)
    assert bundle([str(run), "-o", str(tmp_path / "m")]) == 2
    said = capsys.readouterr().err
    assert f"{reason}: run the grid again" in said
    assert "on all rows" not in said
    assert not (tmp_path / "m").exists()


def test_commands_say_so_in_words(run, made, tmp_path, capsys):
    flip(run / "scores.csv", -2)
    assert bundle([str(run), "-o", str(tmp_path / "m")]) == 2
    assert "its scores.csv was changed since the run" in capsys.readouterr().err
    assert compare([str(run), str(made.run), "--out", str(tmp_path / "c")]) == 2
    assert "its scores.csv was changed since the run" in capsys.readouterr().err
    without_checksums(run)
    assert compare([str(run), str(made.run), "--out", str(tmp_path / "c")]) == 2
    assert "damaged" in capsys.readouterr().err


def test_the_cell_that_the_report_says_to_choose_is_taken_and_why_is_said(made, tmp_path, capsys):
    """Picture and text are perfect by themselves: the fusion that is as good is not taken."""
    verdict = json.loads((made.run / "verdict.json").read_text())
    assert verdict["choose"]["cell"] != OF_BOTH
    assert bundle([str(made.run), "-o", str(tmp_path / "m")]) == 0
    said = capsys.readouterr().err
    chosen = f"{verdict['choose']['cell']} of tiny is fitted on all rows"
    assert f"{chosen}, as the report says: the best" in said
    assert "since the text is not shown to bring more than the 0.01 that matters" in said
    about = Bundle.load(tmp_path / "m").about
    assert about["cell"] == verdict["choose"]["cell"]
    assert about["score"] == verdict["choose"]["score"]


def test_a_run_of_before_gives_its_winner(run):
    verdict = json.loads((run / "verdict.json").read_text())
    del verdict["choose"]
    (run / "verdict.json").write_text(json.dumps(verdict))
    without_checksums(run)
    assert FinishedRun.at(run).cell_name("best") == verdict["winner"]
    (run / "verdict.json").write_text(json.dumps({**verdict, "winner": None}))
    with pytest.raises(BundleError, match="no cell to choose"):
        FinishedRun.at(run).cell_name("best")
