"""The whole flow on a small table: files, scores, predictions, reuse, failures, determinism."""

from __future__ import annotations

import io
import json
import re
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.encoders.bag_of_words import BagOfWords
from features.machine.hardware import hardware
from models.early.concat import Concat
from pipeline import run
from pipeline.metrics import METRICS
from pipeline.results.files import score_columns
from pipeline.results.live import LIVE_FILES
from pipeline.results.placing import FILES
from pipeline.use.finished_run import FinishedRun
from tests.support.samples import small_samples
from tests.support.tiny import (
    GRID,
    Broken,
    MeanColour,
    register,
    results,
    run_grid,
    scores,
    without_report,
    write_grid,
    write_table,
)


@pytest.fixture(autouse=True)
def _tiny_encoders(monkeypatch):
    register(monkeypatch)


@pytest.fixture
def reported(tmp_path):
    """A folder whose runs write their report."""
    write_table(tmp_path)
    return tmp_path


@pytest.fixture
def folder(reported, monkeypatch):
    """A folder whose runs leave the report out."""
    without_report(monkeypatch)
    return reported


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder whose grid was run, with its report, and what the run printed."""
    folder, said = tmp_path_factory.mktemp("finished"), io.StringIO()
    write_table(folder)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        register(patch)
        assert run_grid(folder) == 0
    return folder, said.getvalue()


@pytest.fixture
def again(finished, tmp_path, monkeypatch):
    """A copy of that folder, whose further runs leave the report out."""
    without_report(monkeypatch)
    return shutil.copytree(finished[0], tmp_path / "again")


@pytest.fixture
def count(monkeypatch):
    """How often bag-of-words is fitted."""
    fitted = []
    fit = BagOfWords.fit
    monkeypatch.setattr(
        BagOfWords, "fit", lambda self, samples: fitted.append(list(samples)) or fit(self, samples)
    )
    return fitted


def test_a_run_writes_every_file_and_says_where_the_report_lies(finished):
    reported, said = finished
    first, _, answer, *_, best = said.splitlines()
    assert first == f"report: {reported / 'out' / 'report.html'}"
    written_answer = json.loads((reported / "out" / "verdict.json").read_text())
    assert answer == written_answer["headline"]
    assert best.endswith(written_answer["cells"][4]["name"])
    written = {path.name for path in (reported / "out").iterdir()}
    assert {
        "grid.lock.yaml",
        "folds.npz",
        "scores.csv",
        "predictions.parquet",
        "verdict.json",
        "contrasts.csv",
        "report.md",
        "report.html",
    } <= written
    assert "failures.json" not in written
    assert written <= {*FILES, *LIVE_FILES}
    progress = json.loads((reported / "out" / "progress.json").read_text())
    assert (progress["state"], progress["exit"]) == ("done", 0)
    assert progress["report"] == "report.html"
    cells = {score["cell"]: score["value"] for score in progress["scores"]}
    assert cells == pytest.approx(
        {cell["name"]: cell["mean"] for cell in written_answer["cells"]}, abs=1e-6
    )


def test_costs_are_those_of_the_computing_with_its_hardware_also_in_a_later_run(
    finished, tmp_path, monkeypatch
):
    reported = shutil.copytree(finished[0], tmp_path / "again")
    monkeypatch.setattr("pipeline.store.manifest.hardware", lambda: "another machine")
    run_grid(reported)  # all is reused
    text = (reported / "out" / "report.md").read_text()
    assert f"Computed on {hardware()}: all durations in this report are from there" in text
    line = next(line for line in text.splitlines() if line.startswith("| fit concat |"))
    took, computed, _, earlier = line.strip("| ").split(" | ")[1:]
    assert took == earlier != "0 s"
    assert computed == "0"


def test_the_report_says_what_encoders_met(finished):
    reported, _ = finished
    lines = (reported / "out" / "report.md").read_text().splitlines()
    assert [line for line in lines if ": 36 distinct samples: " in line] == [
        "- bow: 36 distinct samples: 0 texts without a known term"]


def test_scores_have_a_row_per_cell_and_fold_and_the_right_columns(finished):
    folder, _ = finished
    rows = scores(folder)
    assert tuple(rows[0]) == score_columns()
    assert {row["cell"] for row in rows} == {
        "majority", "mean_colour / image_only / logistic", "bow / text_only / logistic",
        "mean_colour + bow / concat / logistic", "mean_colour + bow / late / logistic",
        "mean_colour + bow / late(product) / logistic"}
    assert len(rows) == 6 * 3
    assert all(int(row["n_train"]) + int(row["n_test"]) == 36 for row in rows)
    text = [row for row in rows if row["cell"].startswith("bow /")]
    assert all(float(row["accuracy"]) > 0.9 for row in text)
    assert all(json.loads(row["parameters"])["C"] in (1, 100) for row in text)


def test_the_scores_are_those_of_the_written_predictions(finished):
    folder, _ = finished
    table = pq.read_table(folder / "out" / "predictions.parquet").to_pydict()
    assert list(table)[:6] == ["id", "repeat", "fold", "cell", "label", "predicted"]
    classes = ["car", "cat", "dog"]
    probabilities = np.array([table[f"p_{name}"] for name in classes]).T
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert [classes[i] for i in probabilities.argmax(axis=1)] == table["predicted"]
    codes = np.array([classes.index(label) for label in table["label"]])
    for row in scores(folder):
        mine = np.array([cell == row["cell"] and fold == int(row["fold"])
                         for cell, fold in zip(table["cell"], table["fold"], strict=True)])
        for name, metric in METRICS.items():
            assert float(row[name]) == pytest.approx(
                metric(codes[mine], probabilities[mine]), abs=1e-6
            )
    label_of = dict(zip(small_samples().ids, small_samples().labels, strict=True))
    assert [label_of[name] for name in table["id"]] == table["label"]


def test_the_lock_file_is_a_grid_that_gives_the_same_run(again):
    (again / "grid.yaml").write_text((again / "out" / "grid.lock.yaml").read_text())
    assert run_grid(again, out="again") == 0
    assert MeanColour.calls == []
    assert scores(again, "again") == scores(again)


def test_a_second_run_computes_nothing_and_gives_the_same(again, count, monkeypatch):
    first = scores(again)
    monkeypatch.setattr(Concat, "fit", lambda *_: pytest.fail("fitted again"))
    run_grid(again)
    assert (MeanColour.calls, count) == ([], [])
    assert scores(again) == first


def test_a_second_grid_of_the_same_name_keeps_the_first_run(folder, capsys, monkeypatch):
    without_report(monkeypatch)
    run_grid(folder)
    first = {path.name: path.read_bytes() for path in (folder / "out").iterdir() if path.is_file()}
    assert set(first) <= {*FILES, *LIVE_FILES}
    (folder / "other.yaml").write_text((folder / "grid.yaml").read_text().replace("concat, ", ""))
    command = ["--out", str(folder / "out"), "--store", str(folder / "store"), "--jobs", "1"]
    assert run.main([str(folder / "other.yaml"), *command]) == 0
    previous = folder / "out" / "previous"
    assert f"of grid.yaml, is kept as {previous}" in capsys.readouterr().err
    names = set(first) - {"origin.json", *LIVE_FILES}
    assert {name: (previous / name).read_bytes() for name in names} == {
        name: first[name] for name in names
    }
    earlier = FinishedRun.at(previous)
    assert earlier.grid_file == folder / "grid.yaml"
    assert earlier.grid.fusion != FinishedRun.at(folder / "out").grid.fusion


def test_identical_texts_and_pictures_are_encoded_once(folder):
    write_table(folder, pictures=[small_samples().pictures[row - row % 4] for row in range(36)])
    assert run_grid(folder) == 0
    assert MeanColour.calls == [9]


def test_the_lists_of_cells_may_stand_in_any_order_and_any_number_of_workers(again):
    folder = again
    turned = GRID.replace(
        "[majority, image_only, text_only, concat, {late: {rule: [mean, product]}}]",
        "[{late: {rule: [product, mean]}}, concat, text_only, image_only, majority]",
    )
    write_grid(folder, turned)
    assert turned != GRID
    for jobs in (1, 2):
        (folder / "store").rename(folder / f"store{jobs}")
        run_grid(folder, out=f"jobs{jobs}", jobs=jobs)
        by_name = sorted(results(folder, f"jobs{jobs}"), key=lambda row: (row["cell"], row["fold"]))
        assert by_name == sorted(results(folder), key=lambda row: (row["cell"], row["fold"]))
    tables = [pq.read_table(folder / f"jobs{jobs}" / "predictions.parquet") for jobs in (1, 2)]
    assert tables[0].equals(tables[1])


def test_a_failing_cell_is_recorded_and_the_others_finish(reported, capsys, monkeypatch):
    write_grid(reported, GRID.replace("[mean_colour]", "[mean_colour, broken]"))
    assert run_grid(reported) == 1
    assert (
        "failed: broken / image_only / logistic and 1 other cell: broken: RuntimeError: the "
        "weights melted"
        in capsys.readouterr().err
    )
    failures = json.loads((reported / "out" / "failures.json").read_text())
    assert {failure["cell"].split(" ")[0] for failure in failures} == {"broken"}
    assert len(failures) == 4 * 3
    assert "raise RuntimeError" in failures[0]["traceback"]
    assert len(scores(reported)) == 6 * 3
    assert "the weights melted" in (reported / "out" / "report.md").read_text()
    monkeypatch.setattr(Broken, "transform", MeanColour.transform)
    MeanColour.calls.clear()
    assert run_grid(reported) == 0
    assert MeanColour.calls == [36]  # the mended encoder's one pass; nothing else is encoded again
    assert len(scores(reported)) == 10 * 3
    assert not (reported / "out" / "failures.json").exists()


def test_a_component_that_cannot_be_set_up_fails_its_cells_only(folder, monkeypatch):
    monkeypatch.setattr(Broken, "identity", lambda self: Path("no such weights").read_bytes())
    write_grid(folder, GRID.replace("[mean_colour]", "[mean_colour, broken]"))
    assert run_grid(folder) == 1
    assert len(scores(folder)) == 6 * 3


@pytest.mark.parametrize("policy", ["drop", "keep"])
def test_bad_rows_are_left_out_or_kept_without_a_picture(reported, policy):
    (reported / "3.png").write_bytes(b"no picture")
    assert run_grid(reported) == 2
    assert not list(reported.glob("out/*"))
    write_grid(reported, GRID.replace("id: sku", f"id: sku, on_bad_rows: {policy}"))
    assert run_grid(reported) == 0
    assert sum(
        int(row["n_test"]) for row in scores(reported) if row["cell"] == "majority"
    ) == 36 - (policy == "drop")
    assert "3.png" in (reported / "out" / "report.md").read_text()


def test_plan_prints_what_there_is_to_do_and_computes_nothing(folder, capsys, count):
    assert run_grid(folder, "--plan") == 0
    text = capsys.readouterr().out
    assert (MeanColour.calls, count) == ([], [])
    assert not (folder / "out").exists()
    assert "6 cells" in text
    fits = 3 * (1 + 2 * (2 * 2 + 1) + concat_fits())
    assert f"12, of a cell on a fold each: 0 in the store, 12 to compute with {fits} fits" in text
    assert text.startswith("rows: ")  # what there is to do comes before what was written
    heads = ("\ntime: ", "\ncompared: ", "\nthe grid, filled in:")
    assert list(map(text.index, heads)) == sorted(map(text.index, heads))
    run_grid(folder)
    capsys.readouterr()
    run_grid(folder, "--plan")
    assert "12 in the store, 0 to compute with 0 fits" in capsys.readouterr().out


def concat_fits() -> int:
    settings = 2 * int(np.prod([len(values) for values in Concat.tuned.values()]))
    return settings * 2 + 1


def test_mistakes_in_the_grid_come_all_at_once_with_their_lines(folder, capsys):
    write_grid(
        folder,
        GRID.replace("seed: 3", "sead: 3")
        .replace("[bow]", "[bag]")
        .replace("folds: 3", "folds: 1"),
    )
    assert run_grid(folder) == 2
    message = capsys.readouterr().err
    assert re.search(r"grid.yaml:3: sead: unknown key 'sead'; did you mean 'seed'", message)
    assert re.search(r"grid.yaml:5: split.folds: .*greater than or equal to 2", message)
    assert re.search(r"grid.yaml:7: text\[0\]: unknown text encoder 'bag'", message)


@pytest.mark.parametrize("option", ["--out", "--store"])
def test_a_folder_that_cannot_be_made_is_named_before_any_work(folder, capsys, option):
    (folder / "file").write_text("x")
    assert run_grid(folder, option, str(folder / "file")) == 2
    assert f"{option} {folder / 'file'} cannot be made" in capsys.readouterr().err
    assert MeanColour.calls == []


def test_rows_that_are_left_out_are_named_at_once(folder, capsys):
    (folder / "3.png").write_bytes(b"no picture")
    write_grid(folder, GRID.replace("id: sku", "id: sku, on_bad_rows: drop"))
    run_grid(folder)
    assert "warning: 1 row is left out:\n  items.csv row 4: picture" in capsys.readouterr().err
