"""Runs told to trackers: the real ones where they are installed, and what is said where not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import run
from pipeline.results.tracking import tracking
from pipeline.results.tracking.tracking import TRACKERS, Tracker, TrackingError, track
from tests.support.installs import uninstall
from tests.support.run_folders import write_run_folder

GRID = "data: {source: table, path: items.csv, text: title, label: kind}\ntext: [bow]\n"
TABLE = "title,kind\na shoe,clothes\na pear,food\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run, below the folder that is worked in."""
    monkeypatch.chdir(tmp_path)
    return write_run_folder(tmp_path / "runs" / "small")


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_package_is_told_before_any_work(name, tmp_path, monkeypatch, capsys):
    (tmp_path / "items.csv").write_text(TABLE)
    (tmp_path / "grid.yaml").write_text(GRID)
    monkeypatch.chdir(tmp_path)
    uninstall(monkeypatch, *TRACKERS)
    assert run.main(["grid.yaml", "--track", name, "--jobs", "1"]) == 2
    assert capsys.readouterr().err == (
        f'tracking needs {name}, which is not installed: pip install "modalgrid[{name}]"\n'
    )
    assert not (tmp_path / "runs" / "grid").exists()


def test_the_grid_may_name_the_tracker(tmp_path, monkeypatch, capsys):
    (tmp_path / "items.csv").write_text(TABLE)
    (tmp_path / "grid.yaml").write_text(GRID + "track: trackio\n")
    monkeypatch.chdir(tmp_path)
    uninstall(monkeypatch, *TRACKERS)
    assert run.main(["grid.yaml", "--jobs", "1"]) == 2
    assert "tracking needs trackio, which is not installed" in capsys.readouterr().err


def test_an_unknown_tracker_is_told_with_the_nearest(tmp_path, capsys):
    (tmp_path / "grid.yaml").write_text(GRID + "track: mlflo\n")
    assert run.main([str(tmp_path / "grid.yaml"), "--jobs", "1"]) == 2
    assert "track: unknown tracker 'mlflo'; did you mean 'mlflow'?" in capsys.readouterr().err


def test_what_a_tracker_refuses_leaves_the_run(folder, monkeypatch):
    def refuse(_):
        raise RuntimeError("no such server")

    monkeypatch.setitem(tracking.TRACKERS, "mlflow", Tracker("mlflow", refuse))
    with pytest.raises(TrackingError, match="but mlflow did not take it: no such server"):
        track(folder, "mlflow")
    assert (folder / "report.html").is_file()


@pytest.mark.filterwarnings("ignore")
def test_mlflow_has_a_run_and_one_below_it_for_each_cell(folder, monkeypatch):
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    said = track(folder, "mlflow")
    address = f"sqlite:///{Path('runs/mlflow.db').resolve()}"
    assert address in said
    client = MlflowClient(tracking_uri=address)
    experiment = client.get_experiment_by_name("small")
    runs = {made.info.run_name: made for made in client.search_runs([experiment.experiment_id])}
    parent, concat = runs["small"], runs["cnn + bow / concat / ridge"]
    assert parent.data.metrics["gain_mean"] == 0.375
    assert parent.data.params["answer"] == "probably pays"
    artifacts = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert artifacts == {"report.html", "grid.lock.yaml", "verdict.json", "scores.csv"}
    assert concat.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert concat.data.params["classifier"] == "ridge"
    assert concat.data.metrics["accuracy"] == 0.75
    history = client.get_metric_history(concat.info.run_id, "fold/accuracy")
    assert {entry.step: entry.value for entry in history} == {0: 1.0, 1: 0.5}
    assert {made.info.status for made in runs.values()} == {"FINISHED"}


@pytest.mark.filterwarnings("ignore")
def test_mlflow_goes_where_the_environment_says(folder, tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    address = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert address in track(folder, "mlflow")
    assert (tmp_path / "elsewhere.db").is_file()
    assert not Path("runs/mlflow.db").exists()


@pytest.mark.filterwarnings("ignore")
def test_trackio_has_a_run_for_each_cell(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    trackio = pytest.importorskip("trackio")
    assert "trackio show --project small" in track(folder, "trackio")
    assert capsys.readouterr().out == ""
    rows = {made.name.partition(": ")[2]: made for made in trackio.Api().runs("small")}
    assert set(rows) == {"", "majority", "cnn + bow / concat / ridge"}
