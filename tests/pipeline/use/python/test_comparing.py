"""compare(): the very run of the command, on rows in memory; nothing of it is left that should."""

from __future__ import annotations

import gc
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.bundle import main as bundle
from pipeline.config.grid import GridError
from pipeline.data.dataset import DatasetError
from pipeline.data.samples import SourceError
from pipeline.use import compare
from pipeline.use.bundle import Bundle
from pipeline.use.problem import BundleError
from tests.support.paths import ROOT
from tests.support.tiny import (
    GRID,
    MeanColour,
    read_rows,
    register,
    results,
    run_grid,
    scores,
    without_report,
    write_grid,
    write_table,
)

NAMES = ("sku", "picture", "words", "kind")
KEYS = YAML(typ="safe").load(GRID.replace("source: table, path: items.csv, ", ""))
TEXTS = {
    **{key: KEYS[key] for key in ("name", "seed", "split")},
    "data": {"text": "words", "label": "kind", "id": "sku"},
    "text": ["tfidf"],
    "fusion": ["majority", "text_only"],
}


@pytest.fixture(autouse=True)
def _tiny_encoders(monkeypatch):
    register(monkeypatch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the command has run."""
    folder = tmp_path_factory.mktemp("compared")
    write_table(folder)
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        without_report(patch)
        assert run_grid(folder) == 0
    return folder


@pytest.fixture
def rows(folder, monkeypatch):
    """The rows of the table; its pictures are paths from the working folder."""
    monkeypatch.chdir(folder)
    return [dict(zip(NAMES, row, strict=True)) for row in read_rows(folder)]


@pytest.fixture
def quick(monkeypatch):
    without_report(monkeypatch)


@pytest.mark.usefixtures("quick")
def test_it_is_the_run_of_the_command(folder, rows, capsys):
    compared = compare(KEYS, rows, store=folder / "store", jobs=1, out=folder / "python")
    assert MeanColour.calls == []  # the store has it all: every key is the same
    for name in ("scores.csv", "verdict.json", "contrasts.csv", "labels.csv", "folds.npz"):
        assert (folder / "python" / name).read_bytes() == (folder / "out" / name).read_bytes()
    tables = [pq.read_table(folder / out / "predictions.parquet") for out in ("python", "out")]
    assert tables[0].equals(tables[1])
    assert compared.predictions.equals(tables[0])
    assert compared.folder == folder / "python"
    assert compared.failures == ()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "36 rows, 3 classes, 3 folds, 6 cells" in captured.err


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", ["bytes", "array"])
def test_a_new_store_and_pictures_in_memory_give_the_same(folder, rows, form, tmp_path):
    for row in rows:
        content = Path(row["picture"]).read_bytes()
        row["picture"] = (
            content if form == "bytes" else np.asarray(Image.open(io.BytesIO(content)))
        )
    compare(
        KEYS, pa.Table.from_pylist(rows) if form == "bytes" else rows,
        store=tmp_path / "store", jobs=1, out=tmp_path / "out", progress=False,
    )
    assert results(tmp_path) == results(folder)


@pytest.mark.usefixtures("quick")
def test_tables_come_as_the_rows_were_given(folder, rows):
    pandas = pytest.importorskip("pandas")
    arrow = compare(KEYS, rows, store=folder / "store", jobs=1, progress=False)
    frames = compare(
        KEYS, pandas.DataFrame(rows), store=folder / "store", jobs=1, progress=False
    )
    for name in ("scores", "contrasts", "labels", "predictions"):
        table, frame = getattr(arrow, name), getattr(frames, name)
        assert isinstance(table, pa.Table)
        assert isinstance(frame, pandas.DataFrame)
        assert list(frame.columns) == table.column_names
        assert len(frame) == table.num_rows
    given = [float(row["accuracy"]) for row in scores(folder)]
    assert frames.scores["accuracy"].tolist() == given
    assert frames.scores["n_test"].dtype == np.int64
    written = json.loads((folder / "out" / "verdict.json").read_text())
    assert frames.verdict == arrow.verdict == written
    assert frames.headline == written["headline"]


def test_the_report_and_the_summary_need_nothing_else(tmp_path):
    rows = [
        {"words": f"{word} {number}", "kind": kind, "sku": str(number)}
        for number, (word, kind) in enumerate([("meow", "<script>alert(1)</script>"),
                                               ("bark", "dog")] * 9)
    ]
    compared = compare(TEXTS, rows, store=tmp_path / "store", jobs=1, progress=False)
    assert compared.report.startswith("<!DOCTYPE html>")
    assert "<script>alert" not in compared.report
    assert compared.headline in repr(compared)
    shown = compared._repr_html_()
    assert "tfidf / text_only / logistic" in shown
    assert not [part for part in ("<script", "http", "src=", "<link", "style=") if part in shown]
    compared.verdict["headline"] = "<script>alert(1)</script>"
    compared.verdict["cells"][0]["name"] = "<b>"
    shown = compared._repr_html_()
    assert "<script" not in shown
    assert "<b>" not in shown


@pytest.fixture
def texts(folder):
    return [{name: value for name, value in zip(NAMES, row, strict=True) if name != "picture"}
            for row in read_rows(folder)]


@pytest.mark.usefixtures("quick")
def test_grids_may_be_mappings_text_or_files(texts, tmp_path):
    text = io.StringIO()
    YAML(typ="safe").dump(TEXTS, text)
    path = tmp_path / "grid.yaml"
    path.write_text(text.getvalue())
    tables = [
        compare(grid, texts, store=tmp_path / "store", jobs=1, progress=False).scores
        for grid in (TEXTS, text.getvalue(), path, str(path))
    ]
    assert all(table.equals(tables[0]) for table in tables)


@pytest.mark.usefixtures("quick")
def test_the_lock_file_says_that_its_rows_are_in_no_file(texts, tmp_path, capsys):
    options = {"store": tmp_path / "store", "jobs": 1, "progress": False}
    first = compare(TEXTS, texts, **options, out=tmp_path / "out")
    lock = tmp_path / "out" / "grid.lock.yaml"
    assert "# rows: given from Python, and in no file" in lock.read_text()
    write_grid(tmp_path, lock.read_text())
    assert run_grid(tmp_path, out="again") == 2
    assert "data.source: these rows were given from Python" in capsys.readouterr().err
    assert bundle([str(tmp_path / "out"), "-o", str(tmp_path / "model")]) == 2
    assert "these rows were given from Python" in capsys.readouterr().err
    again = compare(lock, texts, **options, out=tmp_path / "again")
    assert again.scores.equals(first.scores)
    assert (tmp_path / "again" / "grid.lock.yaml").read_text() == lock.read_text()


@pytest.mark.usefixtures("quick")
def test_its_cells_can_be_bundled(texts, tmp_path, capsys):
    compared = compare(TEXTS, texts, store=tmp_path / "store", jobs=1, progress=False)
    model = compared.bundle()
    assert model.about["cell"] == compared.verdict["winner"] == "tfidf / text_only / logistic"
    assert model.about["columns"] == {"label": "kind", "id": "sku", "text": ["words"]}
    assert model.predict(texts="whiskers purr meow") == "cat"
    written = compared.bundle("majority", tmp_path / "model")
    loaded = Bundle.load(tmp_path / "model")
    assert np.array_equal(
        loaded.predict_proba(texts=["x"]), written.predict_proba(texts=["x"])
    )
    with pytest.raises(BundleError, match="no cell 'majorty'; did you mean 'majority'"):
        compared.bundle("majorty")
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where temporary folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return lambda: list(tmp_path.glob("modalgrid-*"))


@pytest.mark.usefixtures("quick")
def test_files_that_nobody_asked_for_go_with_the_object(texts, temporary, tmp_path):
    compared = compare(TEXTS, texts, store=tmp_path / "store", jobs=1, progress=False)
    assert compared.folder is None
    assert len(temporary()) == 1
    del compared
    gc.collect()
    assert temporary() == []


@pytest.mark.usefixtures("quick")
def test_mistakes_are_raised_as_they_are_and_leave_nothing(texts, temporary, tmp_path):
    def refused(grid, data, error):
        with pytest.raises(error) as raised:
            compare(grid, data, store=tmp_path / "store", jobs=1, progress=False)
        assert temporary() == []
        return str(raised.value)

    table = {**TEXTS, "data": {"source": "table", "path": "items.csv", "label": "kind"}}
    assert refused(table, texts, GridError).startswith("grid: data.source: the rows are given")
    said = refused({**TEXTS, "fusion": ["conat"], "sead": 1}, texts, GridError)
    assert "grid: sead: unknown key 'sead'; did you mean 'seed'" in said
    assert "grid: fusion[0]: unknown fusion 'conat'" in said
    assert "no column 'words'" in refused(TEXTS, [{"kind": "a", "sku": 1}], SourceError)
    texts[4]["kind"] = ""
    assert "data row 5" in refused(TEXTS, texts, DatasetError)
    without = {key: TEXTS[key] for key in TEXTS if key != "data"}
    assert "data must name the columns" in refused(without, texts, GridError)
    assert "cannot be read" in refused(tmp_path / "nowhere.yaml", texts, GridError)


@pytest.mark.parametrize("option", ["store", "out"])
def test_folders_that_cannot_be_made_are_named(texts, option, tmp_path):
    (tmp_path / "file").write_text("x")
    options = {"store": tmp_path / "store", "out": tmp_path / "out", option: tmp_path / "file"}
    with pytest.raises(OSError, match=f"^{option} .*file cannot be made"):
        compare(TEXTS, texts, **options, jobs=1, progress=False)


@pytest.mark.usefixtures("quick")
def test_cells_that_fail_are_named_and_the_others_stand(rows, tmp_path):
    keys = {**KEYS, "image": ["mean_colour", "broken"]}
    compared = compare(keys, rows, store=tmp_path / "store", jobs=1, progress=False)
    assert {failure.cell.split(" ")[0] for failure in compared.failures} == {"broken"}
    assert compared.scores.num_rows == 6 * 3
    assert "4 cells failed" in compared._repr_html_()


def test_an_import_loads_neither_pandas_nor_what_takes_long():
    heavy = ("torch", "torchvision", "sentence_transformers", "transformers", "gensim", "timm",
             "sklearn", "scipy.stats", "pandas", "joblib")
    code = (
        "import sys; from pipeline.use import compare; from pipeline.use.bundle import Bundle; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == "[]"
