"""Runs of retrieval: pictures of one colour each, and texts that say in words which it is."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.config.grid import GridError
from pipeline.config.parse import read_grid
from pipeline.data.dataset import DatasetError
from pipeline.use import compare
from pipeline.use.finished_run import FinishedRun
from pipeline.use.problem import BundleError
from tests.support.comparisons import comparison_of
from tests.support.samples import png
from tests.support.tiny import register, results, run_grid, scores, without_report, write_grid

PICTURES, TEXTS, LEVELS = 60, 3, 4
GRID = """
name: colours
task: retrieval
data: {source: table, path: items.csv, image: picture, text: words}
split: {folds: 3, repeats: 1, inner: 2}
image: [mean_colour]
text: [bow]
fusion: [text_space, cca, {kernel_cca: {regularisation: 0.1}}]
"""


FEW_EPOCHS = "[{contrastive: {epochs: 2}}]"


def write_pairs(folder: Path, grid: str = GRID) -> Path:
    """Pictures, three texts of each, and the grid: its file."""
    draw = np.random.default_rng(0)
    with (folder / "items.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["picture", "words"])
        for number in range(PICTURES):
            levels = draw.integers(0, LEVELS, 3)
            colour = tuple(int(level) * 60 + int(draw.integers(0, 40)) for level in levels)
            (folder / f"{number}.png").write_bytes(png(number, colour))
            words = [f"{name}{level}" for name, level in zip("rgb", levels, strict=True)]
            for text in range(TEXTS):
                writer.writerow([f"{number}.png", " ".join([*words, f"filler{text}"])])
    return write_grid(folder, grid)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder: Path = tmp_path_factory.mktemp("colours")
    write_pairs(folder)
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        assert run_grid(folder) == 0
    return folder


def test_every_space_is_scored_both_ways_on_every_fold(folder: Path):
    rows = scores(folder)
    counts = Counter((row["fusion"], row["direction"]) for row in rows)
    fusions = ("text_space", "cca", "kernel_cca(regularisation=0.1)")
    assert {fusion for fusion, _ in counts} >= {"text_space", "cca"}
    assert len(counts) == 2 * len(fusions)
    assert set(counts.values()) == {3}
    for row in rows:
        assert float(row["hit_at_5"]) > 2 * 5 / int(row["candidates"])


def test_texts_of_a_picture_stay_in_one_fold_and_identical_texts_are_one(folder: Path):
    table = pq.read_table(folder / "out" / "ranks.parquet").to_pylist()
    cell = table[0]["cell"]
    pictures = [row for row in table if row["cell"] == cell and row["direction"] == "image_to_text"]
    assert len(pictures) == PICTURES  # each is asked once, in its own fold
    with (folder / "items.csv").open(newline="") as file:
        texts = {row["words"] for row in csv.DictReader(file)}
    asked = [row for row in table if row["cell"] == cell and row["direction"] == "text_to_image"]
    # The same text of two pictures is asked once in a fold.
    assert len(texts) <= len(asked) < PICTURES * TEXTS


def test_scores_are_those_of_the_ranks_that_are_kept(folder: Path):
    table = pq.read_table(folder / "out" / "ranks.parquet").to_pylist()
    for row in scores(folder):
        first = np.array(
            [
                query["first_rank"]
                for query in table
                if (query["cell"], query["direction"], query["fold"])
                == (row["cell"], row["direction"], int(row["fold"]))
            ]
        )
        assert len(first) == int(row["queries"])
        assert float(row["hit_at_5"]) == pytest.approx(np.mean(first <= 5), abs=1e-6)
        assert float(row["median_rank"]) == np.median(first)


def test_the_verdict_names_the_best_and_its_interval(folder: Path):
    verdict = json.loads((folder / "out" / "verdict.json").read_text())
    best = verdict["cells"][0]
    assert verdict["task"] == "retrieval"
    assert verdict["winner"] == best["name"]
    both = best["scores"]["both"]["hit_at_10"]
    assert 0 < both["low"] <= both["estimate"] <= both["high"] <= 1
    ways = [best["scores"][way]["hit_at_10"]["estimate"] for way in verdict["candidates"]]
    assert both["estimate"] == pytest.approx(np.mean(ways))
    estimates = [cell["scores"]["both"]["hit_at_10"]["estimate"] for cell in verdict["cells"]]
    assert estimates == sorted(estimates, reverse=True)
    assert all(cell["behind"]["estimate"] >= 0 for cell in verdict["cells"][1:])
    assert verdict["chance of a hit"]["text_to_image"]["10"] == pytest.approx(0.5, abs=0.1)


def test_the_verdict_rests_on_a_choice_on_inner_folds(folder: Path):
    verdict = json.loads((folder / "out" / "verdict.json").read_text())
    names = {cell["name"] for cell in verdict["cells"]}
    assert set(verdict["chosen"]["all"]) == {"0,0", "0,1", "0,2"}
    assert set(verdict["chosen"]["all"].values()) <= names
    score, best = verdict["score"], verdict["cells"][0]["scores"]["both"]["hit_at_10"]
    assert score["low"] <= score["estimate"] <= score["high"]
    assert score["estimate"] <= best["estimate"]
    assert "hit at 10" in verdict["headline"]
    assert verdict["answer"] in ("pays", "no difference shown", "costs")
    assert [contrast["other"] for contrast in verdict["contrasts"]] == 2 * [
        next(name for name in names if "text_space" in name)
    ]
    page = (folder / "out" / "report.html").read_text()
    for title in ("The choice on inner folds", "Learned spaces against the texts' own"):
        assert f"{title}</h3>" in page


def test_the_report_shows_curves_and_what_is_found(folder: Path):
    page = (folder / "out" / "report.html").read_text()
    for text in ("Verdict", "Leaderboard", "Hits among the k best", "What it finds", "Method"):
        assert f"{text}</h2>" in page
    assert "data:image/jpeg;base64," in page
    assert "60 pictures" in page
    assert (folder / "out" / "charts" / "hits_text_to_image.svg").is_file()
    assert "right picture among the ten best" in (folder / "out" / "report.md").read_text()


def test_a_second_run_computes_nothing_and_gives_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    register(monkeypatch)
    without_report(monkeypatch)
    assert run_grid(folder, out="again") == 0
    assert results(folder, "again") == results(folder)
    assert "results: 0 computed, 9 reused" in capsys.readouterr().err


def test_texts_of_a_picture_that_straddle_folds_are_an_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    register(monkeypatch)
    without_report(monkeypatch)
    grid = GRID.replace("inner: 2", "inner: 2, group: none").replace("[text_space, cca, ", "[")
    write_pairs(tmp_path, grid)
    assert run_grid(tmp_path) == 0
    assert "ALARM: Pictures straddle folds" in capsys.readouterr().err


def test_rows_without_a_picture_or_a_text_ask_nothing_and_networks_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    register(monkeypatch)
    without_report(monkeypatch)
    grid = GRID.replace("[text_space, cca, {kernel_cca: {regularisation: 0.1}}]", "[contrastive]")
    grid = grid.replace("words}", "words, on_bad_rows: keep}").replace("[contrastive]", FEW_EPOCHS)
    write_pairs(tmp_path, grid)
    with (tmp_path / "items.csv").open("a") as file:
        file.write("0.png,\nabsent.png,r1 g1 b1\n")
    assert run_grid(tmp_path) == 0
    asked = [int(row["queries"]) for row in scores(tmp_path)]
    assert sum(asked[1::2]) == PICTURES


def test_what_retrieval_cannot_do_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    register(monkeypatch)
    grid = GRID.replace("cca, {kernel_cca: {regularisation: 0.1}}", "concat")
    grid += "classifier: logistic\nmetric: f1_macro\nlearning_curve: [0.5]\n"
    with pytest.raises(GridError) as raised:
        read_grid(write_pairs(tmp_path, grid))
    problems = "\n".join(raised.value.problems)
    assert "concat puts pictures and texts into no space" in problems
    assert "those that do: cca, kernel_cca, text_space, contrastive" in problems
    assert "nothing to classify" in problems
    assert "a metric of retrieval" in problems
    assert "a learning curve hides labels" in problems
    assert len(raised.value.problems) == 4


def test_rows_without_labels_are_for_retrieval_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    register(monkeypatch)
    path = write_pairs(tmp_path, GRID.replace("task: retrieval\n", ""))
    with pytest.raises(GridError, match="table needs the key 'label'"):
        read_grid(path)
    with pytest.raises(GridError, match="task must be one of"):
        read_grid(write_grid(tmp_path, GRID.replace("task: retrieval", "task: retreival")))


def test_such_a_run_is_refused_where_classes_are_predicted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    register(monkeypatch)
    with pytest.raises(BundleError, match="run of retrieval, which classifies nothing"):
        FinishedRun.at(folder / "out")
    rows = {"picture": [str(folder / "0.png")] * 9, "words": ["r1"] * 9}
    grid = GRID.replace("source: table, path: items.csv, ", "label: words, ")
    with pytest.raises(GridError, match="compared from Python classifies"):
        compare(grid, rows, store=folder / "store")


def test_a_plan_says_what_there_is_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    register(monkeypatch)
    write_pairs(tmp_path)
    assert run_grid(tmp_path, "--plan") == 0
    planned = capsys.readouterr().out
    assert "task: retrieval" in planned
    assert "results:  9, of a cell on a fold each: 0 in the store" in planned
    assert "choice:   then up to 6 fits on inner folds" in planned  # of kernel_cca, set in the grid
    assert not (tmp_path / "out").exists()


def test_too_few_pairs_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    register(monkeypatch)
    path = write_pairs(tmp_path)
    lines = (tmp_path / "items.csv").read_text().splitlines(keepends=True)
    (tmp_path / "items.csv").write_text("".join(lines[:3]))
    with pytest.raises(DatasetError, match="2 usable pairs"):
        comparison_of(path)
