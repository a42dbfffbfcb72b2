"""progress.json and the page of a run: written while it goes on, whatever the disk does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.engine.progress import quiet, scored, showing, step
from pipeline.engine.showing.state import Score
from pipeline.results import live as module
from pipeline.results.live import JSON, PAGE, SCRIPT, LivePage


def read(folder: Path) -> dict:
    return json.loads((folder / JSON).read_text(encoding="utf-8"))


def test_a_run_is_told_from_its_beginning_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.0)
    with quiet(), showing() as shown:
        shown.state.name, shown.state.command = "emoji", "modalgrid run grid.yaml"
        shown.views.append(LivePage(shown.state, tmp_path))
        assert read(tmp_path)["state"] == "running"
        with step("check pictures", 40, "pictures") as tell:
            tell(10)
            scored(Score("bow / text_only", "accuracy", 0.5, 5))
            shown.tick()
            said = read(tmp_path)
            assert said["stages"][0] == {
                "name": "check pictures", "state": "running", "done": 10, "total": 40,
                "noun": "pictures", "seconds": pytest.approx(0, abs=60), "left": None, "now": [],
            }
            assert said["scores"] == [{
                "cell": "bow / text_only", "metric": "accuracy", "value": 0.5, "folds": 5,
                "greater_is_better": True,
            }]
            assert "10 of 40" in (tmp_path / SCRIPT).read_text()
        (tmp_path / "report.html").touch()
        shown.state.exit = 0
    said = read(tmp_path)
    assert (said["state"], said["exit"], said["report"]) == ("done", 0, "report.html")
    assert said["stages"][0]["state"] == "ended"
    assert said["heartbeat"] >= said["started"]
    for name in (SCRIPT, PAGE):
        assert "report.html" in (tmp_path / name).read_text()
    assert {path.name for path in tmp_path.iterdir()} == {PAGE, SCRIPT, JSON, "report.html"}


def test_a_report_of_an_earlier_run_is_not_that_of_a_run_that_was_stopped(tmp_path):
    (tmp_path / "report.html").touch()

    def stopped() -> None:
        with quiet(), showing() as shown:
            shown.views.append(LivePage(shown.state, tmp_path))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    said = read(tmp_path)
    assert (said["state"], said["report"]) == ("stopped", None)
    assert "report.html" not in (tmp_path / PAGE).read_text()


def test_a_full_disk_ends_no_run_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.0)
    monkeypatch.setattr(module, "PATIENCE", 0.0)

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    with quiet(), showing() as shown:
        shown.views.append(LivePage(shown.state, tmp_path))
        before = (tmp_path / JSON).read_text()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_text", full)
            shown.tick()
        assert (tmp_path / JSON).read_text() == before
        assert {path.name for path in tmp_path.iterdir()} == {JSON, SCRIPT, PAGE}
        assert len(shown.views) == 1
    assert read(tmp_path)["state"] == "done"


def test_a_folder_that_goes_ends_no_run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with quiet(), showing() as shown:
        shown.views.append(LivePage(shown.state, folder))
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    assert not folder.exists()


def test_a_score_that_is_not_defined_is_null_in_json(tmp_path):
    with quiet(), showing() as shown:
        scored(Score("majority", "roc_auc", float("nan"), 5))
        shown.views.append(LivePage(shown.state, tmp_path))
    assert "NaN" not in (tmp_path / JSON).read_text()
    assert read(tmp_path)["scores"][0]["value"] is None


def test_of_a_run_that_was_refused_nothing_stays(tmp_path):
    for folder, report in ((tmp_path / "new", None), (tmp_path / "old", "report.html")):
        folder.mkdir()
        if report:
            (folder / report).touch()
        with quiet(), showing() as shown:
            page = LivePage(shown.state, folder)
            page.remove()
            page.close()
        assert folder.exists() == bool(report)
        assert not report or {path.name for path in folder.iterdir()} == {report}


def test_it_is_written_at_a_bounded_rate(tmp_path):
    with quiet(), showing() as shown:
        shown.views.append(LivePage(shown.state, tmp_path))
        (tmp_path / JSON).write_text("{}")
        for _ in range(100):
            shown.views[-1].tick()
        assert (tmp_path / JSON).read_text() == "{}"
