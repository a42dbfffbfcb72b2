"""New items: any table, nothing dropped in silence, and going on where it was interrupted."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.bundle import main as bundle
from pipeline.metrics import METRICS
from pipeline.predict import main
from pipeline.use import predictions
from pipeline.use.bundle import Bundle
from pipeline.use.items.columns import Columns
from pipeline.use.predicting import Summary, columns_of
from reports.wording import metric_label
from tests.support.tables import standard_input
from tests.support.tiny import read_rows

NAMES = ["sku", "picture", "words", "kind"]


def predicted(made, items, *options, out="p.csv", folder=None):
    output = (folder or made.folder) / out
    assert main([str(made.model), str(items), "-o", str(output), *options]) == 0
    with output.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def table(made, tmp_path):
    """The items in a folder of their own."""
    for picture in made.folder.glob("*.png"):
        (tmp_path / picture.name).symlink_to(picture)
    shutil.copy(made.folder / "items.csv", tmp_path / "items.csv")
    return tmp_path / "items.csv"


def write(path, rows, names=NAMES):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def lines_of(path):
    """The lines of a table, the names of its columns first."""
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_a_table_of_items_gets_probabilities_and_scores(made, table, capsys):
    rows = predicted(made, table, folder=table.parent)
    assert [row["id"] for row in rows] == [row[0] for row in read_rows(made.folder)]
    assert all(row["predicted"] == row["label"] for row in rows)
    shares = [[float(row[f"p: {name}"]) for name in ("car", "cat", "dog")] for row in rows]
    np.testing.assert_allclose(np.sum(shares, axis=1), 1)
    said = capsys.readouterr().err
    assert made.bundle.about["metric"] == "balanced_accuracy"
    assert "of 36 items with a label: balanced accuracy 1.000, accuracy 1.000, macro F1" in said


@pytest.mark.parametrize("metric", METRICS)
def test_the_run_s_metric_comes_first_and_has_its_own_value(metric):
    """Of metrics that follow from counts, and of those for which all probabilities are kept."""
    rng = np.random.default_rng(0)
    classes = ("car", "cat", "dog")
    probabilities = rng.dirichlet(np.ones(3), 40)
    labels = rng.integers(3, size=40)
    summary = Summary(metric=metric)
    for label, shares in zip(labels, probabilities, strict=True):
        row = {f"p: {name}": share for name, share in zip(classes, shares, strict=True)}
        row |= {"id": "x", "label": classes[label], "predicted": classes[shares.argmax()]}
        summary.add({**row, "missing": "", "problem": ""}, classes)
    expected = METRICS[metric](labels, probabilities)
    (said,) = (line for line in summary.lines() if "with a label" in line)
    assert said.startswith(
        f"of 40 items with a label: {metric_label(metric)} {expected:.3f}, "
    )
    assert bool(len(summary.shares)) is (metric == "roc_auc")


def test_a_metric_that_is_not_known_here_is_left_out():
    summary = Summary(metric="of_a_plugin")
    row = {"id": "x", "label": "cat", "predicted": "cat", "p: cat": 1.0, "missing": ""}
    summary.add({**row, "problem": ""}, ("cat",))
    assert "of 1 item with a label: accuracy 1.000" in " ".join(summary.lines())


@pytest.mark.parametrize("ending", [".tsv", ".jsonl", ".parquet", "-"])
def test_every_kind_of_table_gives_the_same(made, table, ending, monkeypatch):
    expected = predicted(made, table, folder=table.parent)
    records = [dict(zip(NAMES, row, strict=True)) for row in read_rows(table.parent)]
    items = table.with_suffix(ending) if ending != "-" else "-"
    if ending == ".tsv":
        with items.open("w", newline="") as file:
            writer = csv.DictWriter(file, NAMES, delimiter="\t")
            writer.writeheader()
            writer.writerows(records)
    elif ending == ".jsonl":
        items.write_text("".join(json.dumps(record) + "\n" for record in records))
    elif ending == ".parquet":
        for record in records:
            record["picture"] = (table.parent / record["picture"]).read_bytes()
        pq.write_table(pa.Table.from_pylist(records), items)
    else:
        monkeypatch.chdir(table.parent)
        monkeypatch.setattr("sys.stdin", standard_input(table.read_bytes()))
    assert predicted(made, items, folder=table.parent, out="other.csv") == expected


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_every_kind_of_output_says_the_same(made, table, ending):
    expected = predicted(made, table, folder=table.parent)
    output = table.parent / f"p{ending}"
    assert main([str(made.model), str(table), "-o", str(output)]) == 0
    if ending == ".jsonl":
        rows = [json.loads(line) for line in output.read_text().splitlines()]
    else:
        rows = pq.read_table(output).to_pylist()
    assert [row["predicted"] for row in rows] == [row["predicted"] for row in expected]
    assert [row["p: cat"] for row in rows] == [float(row["p: cat"]) for row in expected]


def test_what_cannot_be_read_is_listed_and_marked_and_nothing_is_dropped(made, table, capsys):
    rows = read_rows(table.parent)
    rows[2][1] = "nowhere.png"
    rows[3][2] = ""
    rows[4][1] = rows[4][2] = ""
    (table.parent / "bad.png").write_bytes(b"no picture")
    rows[5][1] = "bad.png"
    write(table, rows)
    given = predicted(made, table, folder=table.parent)
    assert len(given) == 36
    assert [row["missing"] for row in given[2:6]] == [
        "picture", "text", "picture and text", "picture"
    ]
    assert [bool(row["problem"]) for row in given[2:6]] == [True, False, True, True]
    assert given[4]["predicted"] == given[4]["p: cat"] == ""
    assert given[2]["predicted"] == "cat"
    said = capsys.readouterr().err
    assert "id2: picture nowhere.png: No such file" in said
    assert "id5: picture: not a picture in a known format" in said
    assert "4 items lack" in said


def test_the_label_is_never_needed_and_unknown_ones_are_counted(made, table, capsys):
    rows = [row[:3] for row in read_rows(table.parent)]
    write(table, rows, NAMES[:3])
    assert len(predicted(made, table, folder=table.parent)) == 36
    assert "with a label" not in capsys.readouterr().err
    write(table, [[*rows[0], "zebra"], [*rows[1], "cat"]])
    predicted(made, table, folder=table.parent, out="unknown.csv")
    said = capsys.readouterr().err
    assert "of 1 item with a label" in said
    assert "1 item of classes that the model does not know" in said
    write(table, [[*rows[0], "zebra"]])
    predicted(made, table, folder=table.parent, out="none.csv")
    assert "1 item of classes that the model does not know" in capsys.readouterr().err


def test_columns_may_be_called_otherwise(made, table, capsys):
    write(table, read_rows(table.parent), ["id", "photo", "title", "class"])
    assert main([str(made.model), str(table), "-o", str(table.parent / "p.csv")]) == 2
    assert "has no column 'picture'" in capsys.readouterr().err
    options = ["--image", "photo", "--text", "title", "--label", "class", "--id", "id"]
    rows = predicted(made, table, *options, folder=table.parent)
    assert rows[0]["id"] == "id0"
    assert rows[0]["label"] == "cat"


def test_quotes_are_those_of_the_bundles_rows_where_nothing_is_said(made):
    assert columns_of(made.bundle, Columns()).quoting == "double", "as in the grid"
    assert columns_of(made.bundle, Columns(quoting="none")).quoting == "none"


def test_pictures_outside_the_tables_folder_are_read_where_that_is_allowed(made, table):
    rows = read_rows(table.parent)
    rows[0][1] = str(made.folder / "0.png")
    write(table, rows)
    refused, *_ = predicted(made, table, folder=table.parent, out="refused.csv")
    assert "--allow-outside" in refused["problem"]
    spaced = [rows[0][0], f"  {rows[0][1]} ", *rows[0][2:]]
    write(table, [spaced, *rows[1:]])
    refused, *_ = predicted(made, table, folder=table.parent, out="spaced.csv")
    assert "--allow-outside" in refused["problem"]
    write(table, rows)
    first, *_ = predicted(made, table, "--allow-outside", folder=table.parent)
    assert (first["problem"], first["missing"]) == ("", "")


def test_where_no_column_is_known_they_are_to_be_named(made, table, monkeypatch, capsys):
    """As of a bundle whose own rows came from no table."""
    load = Bundle.load

    def without_columns(folder, runtime):
        bundle = load(folder, runtime)
        return Bundle(bundle.cell, {**bundle.about, "columns": {}})

    monkeypatch.setattr(Bundle, "load", without_columns)
    output = str(table.parent / "p.csv")
    assert main([str(made.model), str(table), "-o", output]) == 2
    said = capsys.readouterr().err
    assert "say --image COLUMN and --text COLUMN (columns: sku, picture, words, kind)" in said
    assert main([str(made.model), str(table.parent), "-o", output]) == 0, "a folder has no columns"
    assert main([str(made.model), str(table), "-o", output, "--text", "words"]) == 0


def test_a_folder_of_pictures_needs_no_table(made, table):
    rows = predicted(made, table.parent, folder=table.parent)
    assert len(rows) == 36
    assert rows[0]["id"] == "0.png"
    assert all(row["missing"] == "text" for row in rows)


def test_what_was_interrupted_goes_on(made, table, monkeypatch):
    expected = predicted(made, table, folder=table.parent)
    monkeypatch.setattr(predictions, "PART", 10)
    rows_of, parts = predictions._rows, []

    def interrupted(bundle, part, threshold):
        if len(parts) == 2:
            raise KeyboardInterrupt
        parts.append(part)
        return rows_of(bundle, part, threshold)

    monkeypatch.setattr(predictions, "_rows", interrupted)
    output = table.parent / "again.csv"
    assert main([str(made.model), str(table), "-o", str(output)]) == 130
    assert not output.exists()
    unfinished = output.with_name("again.csv.unfinished")
    with unfinished.open("a") as file:
        file.write('{"id": "torn')  # as a crash leaves it
    asked = []
    monkeypatch.setattr(
        predictions, "_rows", lambda *given: asked.append(len(given[1])) or rows_of(*given)
    )
    rows = predicted(made, table, folder=table.parent, out="again.csv")
    # The sum of a product may differ in its last digits by how many rows are multiplied.
    for row, whole in zip(rows, expected, strict=True):
        numbers = [name for name in row if name.startswith("p: ")]
        assert [float(row.pop(name)) for name in numbers] == pytest.approx(
            [float(whole.pop(name)) for name in numbers], abs=1e-12
        )
        assert row == whole
    assert asked == [10, 6]
    assert not unfinished.exists()


def stopped_after(monkeypatch, parts):
    """Prediction by tens that is interrupted after so many."""
    rows_of, begun = predictions._rows, []

    def interrupted(bundle, part, threshold):
        begun.append(part)
        if len(begun) > parts:
            raise KeyboardInterrupt
        return rows_of(bundle, part, threshold)

    monkeypatch.setattr(predictions, "PART", 10)
    monkeypatch.setattr(predictions, "_rows", interrupted)


@pytest.mark.parametrize(("first", "reused"), [(0, 0), (13, 13), (20, 20), (35, 20)])
def test_rows_of_items_that_have_changed_meanwhile_are_predicted_anew(
    made, table, capsys, first, reused
):
    """The table is written anew from a row on, as whoever repairs or sorts it does."""
    output = table.parent / "p.csv"
    with pytest.MonkeyPatch.context() as patch:
        stopped_after(patch, 2)
        assert main([str(made.model), str(table), "-o", str(output)]) == 130
    header, *rows = lines_of(table)
    write(table, [*rows[:first], *reversed(rows[first:])], header)
    expected = predicted(made, table, folder=table.parent, out="at_once.csv")
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        whole = predictions._rows
        patch.setattr(
            predictions, "_rows", lambda *given: asked.append(len(given[1])) or whole(*given)
        )
        capsys.readouterr()
        resumed = predicted(made, table, folder=table.parent)
    for name in ("id", "predicted"):
        assert [row[name] for row in resumed] == [row[name] for row in expected]
    assert sum(asked) == 36 - reused
    said = capsys.readouterr().err
    assert (f"begun anew from item {first + 1} on" in said) == (reused == first < 20)


def test_items_that_have_gone_meanwhile_have_no_rows(made, table):
    output = table.parent / "p.csv"
    with pytest.MonkeyPatch.context() as patch:
        stopped_after(patch, 2)
        assert main([str(made.model), str(table), "-o", str(output)]) == 130
    header, *rows = lines_of(table)
    write(table, rows[:15], header)
    assert len(predicted(made, table, folder=table.parent)) == 15


def test_items_that_cannot_be_predicted_are_not_counted_as_predicted(made, table, capsys):
    header, *rows = lines_of(table)
    nothing = [row if at else ["", "", "", "cat"] for at, row in enumerate(rows[:4])]
    write(table, [*nothing, ["", "", "", ""]], header)
    assert len(predicted(made, table, folder=table.parent)) == 5
    said = capsys.readouterr().err
    assert "3 items predicted\n" in said
    assert "2 items not predicted, for want of anything to predict by, and not scored" in said
    assert "of 3 items with a label: " in said


@pytest.mark.parametrize(
    "content", [b'{"another": "request"}\n{"id": "x"}\n', b"\xff\n", b"", b"{"]
)
def test_another_request_begins_anew(made, table, content):
    output = table.parent / "p.csv"
    unfinished = output.with_name("p.csv.unfinished")
    unfinished.write_bytes(content)
    assert len(predicted(made, table, folder=table.parent)) == 36


def test_sets_of_classes_cover_what_is_asked_for(made, table, capsys):
    rows = predicted(made, table, "--coverage", "0.9", folder=table.parent)
    assert all(row["predicted"] in row["set"].split(" | ") for row in rows)
    assert "sets of classes for a coverage of 0.9" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--label", "--id", "--image", "--text"])
@pytest.mark.parametrize("name", ["kinf", ""])
def test_columns_that_are_named_must_be_there(made, table, capsys, option, name):
    output = table.parent / "p.csv"
    assert main([str(made.model), str(table), "-o", str(output), option, name]) == 2
    assert f"items.csv has no column '{name}'" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(("output", "reason"), [
    ("items.csv", "is the file of the items: name another"),
    ("again.csv", "is the file of the items: name another"),
    ("nowhere/p.csv", "there is no folder"),
    ("folder.csv", "that is a folder"),
])
def test_where_predictions_cannot_go_is_said_before_the_work(
    made, table, output, reason, capsys, monkeypatch
):
    (table.parent / "again.csv").symlink_to("items.csv")
    (table.parent / "folder.csv").mkdir()
    monkeypatch.setattr(Bundle, "predict_items", lambda *_: pytest.fail("too late"))
    before = table.read_bytes()
    assert main([str(made.model), str(table), "-o", str(table.parent / output)]) == 2
    assert reason in capsys.readouterr().err
    assert table.read_bytes() == before


@pytest.mark.parametrize(("items", "reason"), [
    ("", "a file without a name does not exist"),
    ("nowhere.csv", "does not exist"),
    ("items.xlsx", "a table's ending says its kind"),
    ("broken.parquet", "cannot be read"),
])
def test_items_that_cannot_be_read_are_said(made, table, items, reason, capsys):
    for name in ("items.xlsx", "broken.parquet"):
        (table.parent / name).write_bytes(b"no table")
    output = table.parent / "p.csv"
    given = str(table.parent / items) if items else ""
    assert main([str(made.model), given, "-o", str(output)]) == 2
    assert reason in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(("row", "reason"), [
    ('x1,0.png,"open,cat', "row 1 (line 2): a quote opens and never closes"),
    ('x1,0.png,"open" words,cat', "row 1 (line 2): a quote opens that closes, in line 2, before"),
    ("x1,0.png,many, words,cat", "row 1 (line 2): more fields than the 4 of the header"),
    ("x1,0.png,words", "row 1 (line 2): fewer fields than the 4 of the header"),
])
def test_rows_that_would_swallow_or_lose_values_are_refused(
    made, tmp_path, row, reason, capsys, monkeypatch
):
    content = ",".join(NAMES) + "\n" + row + "\n"
    items, output = tmp_path / "items.csv", tmp_path / "p.csv"
    items.write_text(content)
    assert main([str(made.model), str(items), "-o", str(output)]) == 2
    assert reason in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", standard_input(content.encode()))
    assert main([str(made.model), "-", "-o", str(output)]) == 2
    assert f"standard input {reason}" in capsys.readouterr().err
    assert not output.exists()


def test_an_empty_table_gives_an_empty_file(made, table):
    write(table, [])
    assert predicted(made, table, folder=table.parent) == []


def test_texts_alone_are_predicted_without_libraries_that_take_seconds(made, tmp_path):
    model = tmp_path / "model"
    cell = "tfidf / text_only / logistic"
    assert bundle([str(made.run), "--cell", cell, "-o", str(model)]) == 0
    (tmp_path / "items.csv").write_text("words\npurr meow\n")
    code = (
        "import sys; from pipeline.predict import main; code = main(sys.argv[1:]); "
        "print([name for name in ('torch', 'skops', 'gensim') if name in sys.modules]); "
        "sys.exit(code)"
    )
    arguments = [str(model), str(tmp_path / "items.csv"), "-o", str(tmp_path / "p.csv")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "cat" in (tmp_path / "p.csv").read_text()
