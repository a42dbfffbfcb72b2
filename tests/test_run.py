"""The whole flow on a small table: files, reuse, failures, leaks, determinism, interruption."""

from __future__ import annotations

import csv
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import features
from features.bag_of_words import BagOfWords
from pipeline import metrics
from pipeline.cells import expand
from pipeline.config import read_grid
from pipeline.dataset import build
from pipeline.encode import compute
from pipeline.folds import draw
from pipeline.plan import make_plan
from pipeline.run_folder import SCORE_COLUMNS
from pipeline.store import MANIFEST, Store
from tests import tiny
from tests.conftest import png, small_samples
from tests.tiny import GRID, TEXT_GRID, Broken, MeanColour, run_grid, write_grid, write_table

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _tiny_encoders(monkeypatch):
    monkeypatch.setitem(features.IMAGE_ENCODERS, "mean_colour", MeanColour)
    monkeypatch.setitem(features.IMAGE_ENCODERS, "broken", Broken)
    monkeypatch.setattr(MeanColour, "calls", [])


@pytest.fixture
def folder(tmp_path):
    write_table(tmp_path)
    return tmp_path


def scores(folder: Path, out: str = "out") -> list[dict[str, str]]:
    with (folder / out / "scores.csv").open() as file:
        return list(csv.DictReader(file))


def results(folder: Path, out: str = "out") -> list[dict[str, str]]:
    """Scores without the times."""
    return [{name: value for name, value in row.items() if not name.endswith("_seconds")}
            for row in scores(folder, out)]


@pytest.fixture
def count(monkeypatch):
    """How often bag-of-words is fitted."""
    fitted = []
    fit = BagOfWords.fit
    monkeypatch.setattr(BagOfWords, "fit", lambda self, samples: fitted.append(list(samples)) or fit(self, samples))
    return fitted


def test_a_run_writes_every_file_and_says_where_the_report_lies(folder, capsys):
    assert run_grid(folder) == 0
    assert capsys.readouterr().out == f"report: {folder / 'out' / 'report.html'}\n"
    written = {path.name for path in (folder / "out").iterdir()}
    assert {"grid.lock.yaml", "folds.npz", "scores.csv", "predictions.parquet", "report.md", "report.html"} <= written
    assert "failures.json" not in written
    assert not [name for name in written if name.startswith(".")]


def test_scores_have_a_row_per_cell_and_fold_and_the_right_columns(folder):
    run_grid(folder)
    rows = scores(folder)
    assert tuple(rows[0]) == SCORE_COLUMNS
    assert {row["cell"] for row in rows} == {
        "majority", "mean_colour / image_only / logistic", "bow / text_only / logistic",
        "mean_colour + bow / concat / logistic", "mean_colour + bow / late(mean) / logistic",
        "mean_colour + bow / late(product) / logistic"}
    assert len(rows) == 6 * 3
    assert all(int(row["n_train"]) + int(row["n_test"]) == 36 for row in rows)
    text = [row for row in rows if row["cell"].startswith("bow /")]
    assert all(float(row["accuracy"]) > 0.9 for row in text)
    assert all(json.loads(row["parameters"])["C"] in (1, 100) for row in text)


def test_the_scores_are_those_of_the_written_predictions(folder):
    run_grid(folder)
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
        for name, metric in metrics.METRICS.items():
            assert float(row[name]) == pytest.approx(metric(codes[mine], probabilities[mine]), abs=1e-6)
    own = dict(zip(small_samples().ids, small_samples().labels, strict=True))
    assert all(own[name] == label for name, label in zip(table["id"], table["label"], strict=True))


def test_the_lock_file_is_a_grid_that_gives_the_same_run(folder):
    run_grid(folder)
    (folder / "grid.yaml").write_text((folder / "out" / "grid.lock.yaml").read_text())
    MeanColour.calls.clear()
    assert run_grid(folder, out="again") == 0
    assert MeanColour.calls == []
    assert scores(folder, "again") == scores(folder)


def test_a_second_run_computes_nothing_and_gives_the_same(folder, count, monkeypatch):
    run_grid(folder)
    first = scores(folder)
    MeanColour.calls.clear()
    count.clear()
    from models.early import Concat

    monkeypatch.setattr(Concat, "fit", lambda *_: pytest.fail("fitted again"))
    run_grid(folder)
    assert (MeanColour.calls, count) == ([], [])
    assert scores(folder) == first


def test_identical_texts_and_pictures_are_encoded_once(tmp_path):
    write_table(tmp_path, pictures=[small_samples().pictures[row - row % 4] for row in range(36)])
    run_grid(tmp_path)
    assert MeanColour.calls == [9]


def change_text(folder):
    path = folder / "items.csv"
    path.write_text(path.read_text().replace("item5", "item5 extra"))


def change_grid(old, new):
    return lambda folder: write_grid(folder, (folder / "grid.yaml").read_text().replace(old, new))


ENCODES_PICTURES = {
    "picture": lambda folder: (folder / "7.png").write_bytes(png(99)),
    "parameter": change_grid("[mean_colour]", "[{mean_colour: {power: 2}}]"),
}
LEAVES_PICTURES = {
    "text": change_text,
    "text encoder": change_grid("[bow]", "[tfidf]"),
    "folds": change_grid("folds: 3", "folds: 4"),
    "seed": change_grid("seed: 3", "seed: 4"),
    "tuning metric": lambda folder: write_grid(folder, GRID + "tuning_metric: accuracy\n"),
    "candidates": change_grid("[1, 100]", "[1, 10]"),
    "classifier": change_grid("{logistic: {C: [1, 100]}}", "[linear_svm]"),
}


@pytest.mark.parametrize("change", ENCODES_PICTURES.values(), ids=ENCODES_PICTURES)
def test_what_changes_the_pictures_features_encodes_them_again_once(folder, change, count):
    run_grid(folder)
    MeanColour.calls.clear()
    count.clear()
    change(folder)
    run_grid(folder)
    run_grid(folder)
    assert len(MeanColour.calls) == 1
    assert count == []


@pytest.mark.parametrize("name", ["version", "weights"])
def test_an_encoders_version_and_identity_are_part_of_the_key(folder, monkeypatch, name):
    from pipeline import encode

    run_grid(folder)
    MeanColour.calls.clear()
    monkeypatch.setattr(encode, "_identities", {})
    monkeypatch.setattr(MeanColour, name, 2 if name == "version" else "other")
    run_grid(folder)
    run_grid(folder)
    assert len(MeanColour.calls) == 1


@pytest.mark.parametrize("change", LEAVES_PICTURES.values(), ids=LEAVES_PICTURES)
def test_what_does_not_change_the_pictures_features_reuses_them(folder, change):
    run_grid(folder)
    before = (folder / "out" / "scores.csv").read_text()
    MeanColour.calls.clear()
    change(folder)
    run_grid(folder)
    assert MeanColour.calls == []
    assert (folder / "out" / "scores.csv").read_text() != before


@pytest.mark.parametrize("change", [LEAVES_PICTURES["tuning metric"], LEAVES_PICTURES["candidates"],
                                    ENCODES_PICTURES["parameter"]])
def test_the_texts_vocabulary_is_not_learned_again_for_what_does_not_touch_it(folder, change, count):
    run_grid(folder)
    assert len(count) == 3 * (1 + 2)
    change(folder)
    run_grid(folder)
    assert len(count) == 3 * (1 + 2)


def test_a_changed_label_fits_again_but_encodes_nothing(folder, count):
    write_grid(folder, GRID.replace("folds: 3, inner: 2", "official: true").replace("id: sku", "id: sku, split: part"))
    table = (folder / "items.csv").read_text().splitlines()
    parts = ["part", *("test" if row % 3 == 0 else "train" for row in range(36))]
    write = lambda lines: (folder / "items.csv").write_text(  # noqa: E731
        "\n".join(f"{line},{part}" for line, part in zip(lines, parts, strict=True)))
    write(table)
    run_grid(folder)
    encoded, before = (len(MeanColour.calls), len(count)), results(folder)
    changed = [line.replace(",cat", ",dog") if row == 2 else line for row, line in enumerate(table)]
    write(changed)
    run_grid(folder)
    assert len(MeanColour.calls) == encoded[0]
    assert results(folder) != before


def test_the_lists_of_cells_may_stand_in_any_order_and_any_number_of_workers(folder):
    run_grid(folder)
    turned = GRID.replace("[majority, image_only, text_only, concat, {late: {rule: [mean, product]}}]",
                          "[{late: {rule: [product, mean]}}, concat, text_only, image_only, majority]")
    write_grid(folder, turned)
    assert turned != GRID
    for jobs in (1, 2):
        (folder / "store").rename(folder / f"store{jobs}")
        run_grid(folder, out=f"jobs{jobs}", jobs=jobs)
        by_name = sorted(results(folder, f"jobs{jobs}"), key=lambda row: (row["cell"], row["fold"]))
        assert by_name == sorted(results(folder), key=lambda row: (row["cell"], row["fold"]))
    tables = [pq.read_table(folder / f"jobs{jobs}" / "predictions.parquet") for jobs in (1, 2)]
    assert tables[0].equals(tables[1])


def test_a_failing_cell_is_recorded_and_the_others_finish(folder, capsys, monkeypatch):
    write_grid(folder, GRID.replace("[mean_colour]", "[mean_colour, broken]"))
    assert run_grid(folder) == 1
    assert "failed: broken / image_only / logistic: broken: RuntimeError: the weights melted" in capsys.readouterr().err
    failures = json.loads((folder / "out" / "failures.json").read_text())
    assert {failure["cell"].split(" ")[0] for failure in failures} == {"broken"}
    assert len(failures) == 4 * 3
    assert "raise RuntimeError" in failures[0]["traceback"]
    assert len(scores(folder)) == 6 * 3
    assert "the weights melted" in (folder / "out" / "report.md").read_text()
    monkeypatch.setattr(Broken, "transform", MeanColour.transform)
    MeanColour.calls.clear()
    assert run_grid(folder) == 0
    assert MeanColour.calls == [36]  # the mended encoder's one pass; nothing else is encoded again
    assert len(scores(folder)) == 10 * 3
    assert not (folder / "out" / "failures.json").exists()


def test_a_component_that_cannot_be_set_up_fails_its_cells_only(folder, monkeypatch):
    monkeypatch.setattr(Broken, "identity", lambda self: open("no such weights").close())
    write_grid(folder, GRID.replace("[mean_colour]", "[mean_colour, broken]"))
    assert run_grid(folder) == 1
    assert len(scores(folder)) == 6 * 3


@pytest.mark.parametrize("policy", ["drop", "keep"])
def test_bad_rows_are_left_out_or_kept_without_a_picture(folder, policy):
    (folder / "3.png").write_bytes(b"no picture")
    assert run_grid(folder) == 2
    assert not (folder / "out").exists()
    write_grid(folder, GRID.replace("id: sku", f"id: sku, on_bad_rows: {policy}"))
    assert run_grid(folder) == 0
    assert sum(int(row["n_test"]) for row in scores(folder) if row["cell"] == "majority") == 36 - (policy == "drop")
    assert "3.png" in (folder / "out" / "report.md").read_text()


def test_plan_prints_what_there_is_to_do_and_computes_nothing(folder, capsys, count):
    assert run_grid(folder, "--plan") == 0
    text = capsys.readouterr().out
    assert (MeanColour.calls, count) == ([], [])
    assert not (folder / "out").exists()
    assert "6 cells" in text
    fits = 3 * (1 + 2 * (2 * 2 + 1) + concat_fits())
    assert f"12 cells x folds, 0 in the store, 12 to compute with {fits} fits" in text
    run_grid(folder)
    capsys.readouterr()
    run_grid(folder, "--plan")
    assert "12 in the store, 0 to compute with 0 fits" in capsys.readouterr().out


def concat_fits() -> int:
    from models.early import Concat

    settings = 2 * int(np.prod([len(values) for values in Concat.tuned.values()]))
    return settings * 2 + 1


def test_mistakes_in_the_grid_come_all_at_once_with_their_lines(folder, capsys):
    write_grid(folder, GRID.replace("seed: 3", "sead: 3").replace("[bow]", "[bag]").replace("folds: 3", "folds: 1"))
    assert run_grid(folder) == 2
    message = capsys.readouterr().err
    assert re.search(r"grid.yaml:3: sead: unknown key 'sead'; did you mean 'seed'", message)
    assert re.search(r"grid.yaml:5: split.folds: .*greater than or equal to 2", message)
    assert re.search(r"grid.yaml:7: text\[0\]: unknown text encoder 'bag'", message)


# --- leaks -----------------------------------------------------------------------------------------------


def plan_of(folder: Path):
    grid = read_grid(folder / "grid.yaml")
    store = Store(folder / "store")
    samples = tiny.small_samples()
    dataset = build(samples, ("image", "text"), "fail", store)
    folds = draw(dataset, grid.split, grid.seed)
    return make_plan(grid, expand(grid), dataset, folds), dataset, store


@pytest.mark.parametrize("encoder", ["bow", "tfidf", "{word2vec: {vectors: train, min_count: 1}}"])
def test_a_word_of_test_rows_never_enters_what_is_learned(folder, encoder):
    write_grid(folder, GRID.replace("[bow]", f"[{encoder}]"))
    plan, dataset, _ = plan_of(folder)
    learned = [one for one in plan.features.values() if one.train is not None]
    assert len(learned) == 3 * (1 + 2)
    for one in learned:
        texts = dataset.views["text"]
        one.encoder.fit([texts.samples[texts.index[row]] for row in one.train])
        known = one.encoder.vectors_.rows if hasattr(one.encoder, "vectors_") else one.encoder.vocabulary_
        inside = {f"item{row}" for row in one.train}
        assert inside <= set(known)
        assert not {f"item{row}" for row in range(36)} & set(known) - inside


def test_changed_test_rows_leave_the_training_features_byte_identical(folder):
    def training_features():
        plan, dataset, store = plan_of(folder)
        kept = []
        for unit in plan.units:
            for modality, many in unit.features.items():
                compute([many[0]], dataset.views[modality], store)
                block = many[0].load(store, dataset.views[modality].index).take(unit.fold.train)
                if unit.fold.fold == 0:
                    array = block.array()
                    kept.append((array.toarray() if block.is_sparse else array).tobytes())
        return kept, next(unit.fold for unit in plan.units)

    before, fold = training_features()
    texts, pictures = list(small_samples().texts), list(small_samples().pictures)
    for row in fold.test:
        texts[row] += " canary canary"
        pictures[row] = tiny.small_samples(pictures=[*pictures]).pictures[0]
    original = tiny.small_samples
    try:
        tiny.small_samples = lambda *a, **k: original(texts=texts, pictures=pictures)
        after, _ = training_features()
    finally:
        tiny.small_samples = original
    assert len(before) == 4  # of image_only, of text_only, and the two of concat
    assert after == before


def test_permuted_labels_give_chance(tmp_path):
    rng = np.random.default_rng(0)
    labels = list(rng.permutation(small_samples(60).labels))
    write_table(tmp_path, 60, labels=labels)
    run_grid(tmp_path)
    for _, rows in itertools.groupby(scores(tmp_path), key=lambda row: row["cell"]):
        mean = np.mean([float(row["accuracy"]) for row in rows])
        assert abs(mean - 1 / 3) < 0.12  # three standard errors of 180 draws


# --- interruption and company ----------------------------------------------------------------------------


def start(folder: Path, out: str, store: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.run", str(folder / "grid.yaml"), "--out", str(folder / out),
         "--store", str(folder / store), "--jobs", "1"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)


def a_writer_is_at_work(store: Path) -> bool:
    partial = store / "partial"
    return partial.exists() and bool(os.listdir(partial))


def test_a_killed_run_goes_on_to_the_same_results(folder):
    write_grid(folder, TEXT_GRID)
    calm = start(folder, "calm", "calm_store")
    assert calm.communicate() and calm.returncode == 0
    chance, kills = random.Random(0), 0
    for _ in range(4):
        at = len(Store(folder / "store").entries()) + chance.randint(1, 6)
        with start(folder, "out", "store") as process:
            while process.poll() is None:
                if len(Store(folder / "store").entries()) >= at and a_writer_is_at_work(folder / "store"):
                    os.killpg(process.pid, signal.SIGKILL)
                    break
        kills += process.returncode == -signal.SIGKILL
    assert kills >= 2
    last = start(folder, "out", "store")
    _, errors = last.communicate()
    assert last.returncode == 0, errors
    assert results(folder) == results(folder, "calm")
    assert pq.read_table(folder / "out" / "predictions.parquet").equals(
        pq.read_table(folder / "calm" / "predictions.parquet"))


def test_two_runs_at_once_share_the_work_and_do_none_of_it_twice(folder):
    write_grid(folder, TEXT_GRID)
    runs = [start(folder, name, "store") for name in ("one", "two")]
    errors = [process.communicate()[1] for process in runs]
    assert [process.returncode for process in runs] == [0, 0], errors
    computed = [int(match) for text in errors for match in re.findall(r"(\d+) computed", text)]
    entries = Store(folder / "store").entries()
    assert sum(computed) == len(entries)
    assert results(folder, "one") == results(folder, "two")


def test_a_damaged_result_is_computed_again(folder, caplog):
    run_grid(folder)
    before = results(folder)
    for entry in Store(folder / "store").entries():
        array = next(path for path in entry.iterdir() if path.name != MANIFEST)
        array.write_bytes(array.read_bytes()[:-3])
    run_grid(folder)
    assert "damaged" in caplog.text
    assert results(folder) == before


def test_neither_import_nor_a_cached_run_loads_torch(folder):
    write_grid(folder, TEXT_GRID)
    assert start(folder, "out", "store").communicate()
    heavy = ("torch", "torchvision", "sentence_transformers", "transformers", "gensim", "timm")
    code = (f"import sys; from pipeline import run; run.main(['{folder / 'grid.yaml'}', '--out', '{folder / 'out'}', "
            f"'--store', '{folder / 'store'}']); "
            f"print([name for name in {heavy} if name in sys.modules])")
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"
