"""Runs under a time limit, counted in tasks: they stop anywhere, tell the truth, and go on."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.limits import count_tasks
from tests.support.tiny import (
    GRID,
    register,
    results,
    run_grid,
    without_report,
    write_grid,
    write_table,
)

# Two repeats; the networks are dear and come last, and one of them has nothing to tune, so that
# its inner folds are asked for by the choice alone.
LIMITED = GRID.replace("repeats: 1", "repeats: 2").replace(
    "concat,", "concat, {gated: {epochs: 2}}, {attention: {epochs: 2}},"
)
CHEAP = {
    "majority",
    "mean_colour / image_only / logistic",
    "bow / text_only / logistic",
    "mean_colour + bow / concat / logistic",
    "mean_colour + bow / late / logistic",
    "mean_colour + bow / late(product) / logistic",
}
NETWORKS = ["mean_colour + bow / gated(epochs=2)", "mean_colour + bow / attention(epochs=2)"]
ALL = 10_000  # more tasks than there are


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder whose grid was run without a limit."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        without_report(patch)
        write_table(folder)
        write_grid(folder, LIMITED)
        assert run_grid(folder) == 0
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    register(monkeypatch)
    write_table(tmp_path)
    write_grid(tmp_path, LIMITED)
    return tmp_path


def limited(folder: Path, patch: pytest.MonkeyPatch, tasks: int, out: str = "out") -> int:
    """A run of at most so many tasks; how many it took."""
    made = count_tasks(patch, tasks)
    assert run_grid(folder, "--time-limit", "10m", out=out) == 0
    return made[0].computed


def verdict(folder: Path, out: str = "out") -> dict:
    return json.loads((folder / out / "verdict.json").read_text())


def test_a_run_that_stops_anywhere_reports_scores_of_the_whole_run(
    folder, whole, monkeypatch
):
    without_report(monkeypatch)
    expected = results(whole)
    cells = {row["cell"] for row in expected}
    seen = set()
    for _ in range(100):  # each run goes on where the one before it stopped
        taken = limited(folder, monkeypatch, 3)
        left = verdict(folder)["not_reached"]
        rows = results(folder)
        compared = {row["cell"] for row in rows}
        if left is None:
            assert rows == expected
        else:
            assert compared | set(left["cells"]) == cells
            assert not compared & set(left["cells"])
            repeats = {str(repeat) for repeat in range(left["repeats"])}
            of_cells = [row for row in expected if row["cell"] in compared]
            assert rows == [row for row in of_cells if row["repeat"] in repeats]
            assert left["decides"] == (compared >= CHEAP)
            assert (verdict(folder)["answer"] == "not reached") == (not left["decides"])
            seen.add((left["repeats"], len(left["cells"]), bool(left["follow_ups"])))
        assert not (folder / "out" / "failures.json").exists()
        if taken < 3:
            break
    assert left is None
    assert {(1, len(cells) - len(CHEAP), True), (2, 0, True)} <= seen
    tables = [pq.read_table(path / "out" / "predictions.parquet") for path in (folder, whole)]
    assert tables[0].equals(tables[1])
    # the same store without a limit, to the byte
    assert run_grid(folder, out="again") == 0
    written = [(folder / out / "scores.csv").read_bytes() for out in ("out", "again")]
    assert written[0] == written[1]


def test_the_report_is_written_whatever_was_reached_and_names_the_rest(
    folder, monkeypatch, capsys
):
    limited(folder, monkeypatch, 0)
    out = capsys.readouterr().out
    assert "The time did not suffice for an answer" in out
    assert "Not reached within 10m: a whole repeat of the cells that come first;" in out
    assert results(folder) == []
    page = (folder / "out" / "report.html").read_text()
    assert "Not reached within 10m" in page

    limited(folder, monkeypatch, 35)  # one repeat of what is cheap, and a part of the next
    out = capsys.readouterr().out
    left = verdict(folder)["not_reached"]
    assert (left["limit"], left["repeats"], left["drawn"]) == ("10m", 1, 2)
    assert left["cells"] == NETWORKS
    names = " and ".join(f"“{name}”" for name in NETWORKS)
    sentence = f"Not reached within 10m: repeat 2 of 2; 2 cells, {names}; "
    assert sentence in out
    assert "The same command goes on from here." in out
    assert verdict(folder)["answer"] != "not reached"
    assert any(caution.startswith(sentence) for caution in verdict(folder)["cautions"])
    for name in ("report.html", "report.md"):
        written = (folder / "out" / name).read_text()
        assert "Not reached within 10m" in written
        assert "1 of 2 repeats compared" in written
        assert "--time-limit 10m" in written
    lock = (folder / "out" / "grid.lock.yaml").read_text()
    assert lock.splitlines()[-1].startswith("# not reached within 10m: repeat 2 of 2; 2 cells, ")
    assert "failed" not in out

    # the lock file is a grid all the same, and the same run
    write_grid(folder, lock)
    assert run_grid(folder, "--plan") == 0


def test_a_cell_that_fails_has_failed_and_was_reached(folder, monkeypatch):
    without_report(monkeypatch)
    write_grid(folder, LIMITED.replace("[mean_colour]", "[mean_colour, broken]"))
    count_tasks(monkeypatch, 60)
    assert run_grid(folder, "--time-limit", "10m") == 1
    failed = {entry["cell"] for entry in json.loads(
        (folder / "out" / "failures.json").read_text())}
    left = verdict(folder)["not_reached"]
    assert "broken / image_only / logistic" in failed
    assert failed.isdisjoint(left["cells"])
    assert left["decides"]


def test_retrieval_compares_the_spaces_that_are_whole(folder, monkeypatch, capsys):
    grid = LIMITED.split("fusion:")[0].replace("label: kind, ", "").replace(
        "[mean_colour]", "[mean_colour, handcrafted]"
    )
    write_grid(folder, grid + "task: retrieval\nfusion: [cca, {contrastive: {epochs: 2}}]\n")
    assert run_grid(folder, out="whole") == 0
    expected = results(folder, "whole")
    (folder / "store").rename(folder / "of the whole")
    count_tasks(monkeypatch, 19)
    assert run_grid(folder, "--time-limit", "10m") == 0
    left = verdict(folder)["not_reached"]
    assert left["repeats"] == 1
    cells = {row["cell"] for row in results(folder)}
    assert cells
    assert cells.isdisjoint(left["cells"])
    assert results(folder) == [
        row for row in expected if row["cell"] in cells and row["repeat"] == "0"
    ]
    assert "Not reached within 10m: " in capsys.readouterr().out
    assert "Not reached within 10m: " in (folder / "out" / "report.md").read_text()
    count_tasks(monkeypatch, 0)
    (folder / "store").rename(folder / "of the part")
    assert run_grid(folder, "--time-limit", "10m") == 0
    assert "No space is complete: time was short." in capsys.readouterr().out


def test_the_plan_says_how_far_the_time_is_expected_to_go(folder, monkeypatch, capsys):
    count_tasks(monkeypatch, ALL)
    assert run_grid(folder, "--plan", "--time-limit", "10m") == 0
    assert "limit:    10m: expected to suffice" in capsys.readouterr().out
    count_tasks(monkeypatch, 0)
    assert run_grid(folder, "--plan", "--time-limit", "10m") == 0
    out = capsys.readouterr().out
    assert "expected to reach nothing whole, and not repeat 1, " in out
    assert "by a rough guess" in out
    assert run_grid(folder, "--plan") == 0
    assert "limit:" not in capsys.readouterr().out


def test_a_limit_may_stand_in_the_grid_and_is_refused_without_its_unit(
    folder, monkeypatch, capsys
):
    without_report(monkeypatch)
    write_grid(folder, LIMITED + "run: {time_limit: 5m}\n")
    made = count_tasks(monkeypatch, 0)
    assert run_grid(folder) == 0
    assert run_grid(folder, "--time-limit", "7m") == 0  # the command line goes before it
    assert [limit.text for limit in made] == ["5m", "7m"]
    capsys.readouterr()
    write_grid(folder, LIMITED + "run: {time_limit: 10}\n")
    assert run_grid(folder) == 2
    error = capsys.readouterr().err
    assert "run.time_limit" in error
    assert "with its unit, s, m or h: 90s, 10m, 2h or 1h30m; did you mean 10s" in error
    with pytest.raises(SystemExit):
        run_grid(folder, "--time-limit", "10")
    assert "did you mean 10s or 10m or 10h? (given: '10')" in capsys.readouterr().err


def test_workers_of_dask_are_limited_as_processes_are(folder, monkeypatch):
    without_report(monkeypatch)
    grid = GRID.replace("repeats: 1", "repeats: 2")  # without networks: workers would import torch
    write_grid(folder, grid.replace("mean_colour", "handcrafted"))
    count_tasks(monkeypatch, 16)  # the texts alone, and a part of the pictures
    assert run_grid(folder, "--time-limit", "10m", "--engine", "dask", out="part", jobs=2) == 0
    left = verdict(folder, "part")["not_reached"]
    assert left["cells"]
    part = results(folder, "part")
    cells = {row["cell"] for row in part}
    assert cells
    (folder / "store").rename(folder / "of the part")
    assert run_grid(folder) == 0
    assert part == [
        row for row in results(folder)
        if row["cell"] in cells and int(row["repeat"]) < left["repeats"]
    ]
