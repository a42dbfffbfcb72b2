"""Items of every format have the very texts that the rows of a grid have."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.data.sources.table import Table
from pipeline.use.items.columns import Columns
from pipeline.use.items.reading import read_items
from pipeline.use.problem import BundleError

COLUMNS = {
    "id": [4006381333931.0, 2.5],
    "text": [Decimal("3.00"), Decimal("0.10")],
    "label": [True, False],
}


@pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
def test_numbers_and_truth_values_are_written_as_in_tables(ending, tmp_path):
    file = tmp_path / f"items{ending}"
    if ending == ".parquet":
        columns = {**COLUMNS, "text": pa.array(COLUMNS["text"]).dictionary_encode()}
        pq.write_table(pa.table(columns), file)
    else:
        rows = zip(*(map(float, COLUMNS[name]) for name in ("id", "text")), COLUMNS["label"],
                   strict=True)
        file.write_text("".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n"
                                for row in rows))
    items = list(read_items(str(file), Columns(text=("text",), label="label", id="id")))
    learned = Table(path=file.name, text="text", label="label", id="id").load(tmp_path)
    assert [item.name for item in items] == learned.ids == ["4006381333931", "2.5"]
    assert [item.text for item in items] == learned.texts == ["3", "0.1"]
    assert [item.label for item in items] == learned.labels == ["true", "false"]


def test_pictures_of_linked_folders_and_every_ending_are_items(tmp_path):
    for name in ("a.png", "deep/b.JP2"):
        (tmp_path / "elsewhere" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "elsewhere" / name).write_bytes(b"content")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "linked").symlink_to("../elsewhere")
    (tmp_path / "elsewhere" / "deep" / "back").symlink_to("..")
    assert [item.name for item in read_items(str(tmp_path / "set"), Columns())] == [
        "linked/a.png", "linked/deep/b.JP2"
    ]


TSV = 'id\ttext\n1\t"Left" is a word\n2\tan open "quote\n3\t5" wide\n'


def test_a_table_whose_writer_never_quotes_is_read_as_it_is_written(tmp_path):
    file = tmp_path / "items.tsv"
    file.write_text(TSV)
    with pytest.raises(BundleError, match=r"row 1 \(line 2\).*say --quoting none"):
        list(read_items(str(file), Columns(text=("text",))))
    items = read_items(str(file), Columns(text=("text",), id="id", quoting="none"))
    assert [item.text for item in items] == ['"Left" is a word', 'an open "quote', '5" wide']


def test_lines_in_quotes_that_look_like_rows_are_read_where_they_are_said_to_be_a_value(tmp_path):
    file = tmp_path / "items.csv"
    file.write_text('id,text\n1,"a\n2,b\n3,c"\n4,d\n')
    with pytest.raises(BundleError, match=r"say --quoting none.*--quoting double"):
        list(read_items(str(file), Columns(text=("text",))))
    items = read_items(str(file), Columns(text=("text",), id="id", quoting="double"))
    assert [item.text for item in items] == ["a\n2,b\n3,c", "d"]


@pytest.mark.parametrize("begins", ["", "\ufeff"])
def test_semicolons_divide_items_as_they_divide_tables(tmp_path, begins):
    file = tmp_path / "items.csv"
    file.write_text(begins + "sku;title\na;a lamp, of brass\nb;a sofa\n", encoding="utf-8")
    items = list(read_items(str(file), Columns(text=("title",), id="sku")))
    read = [(item.name, item.text) for item in items]
    assert read == [("a", "a lamp, of brass"), ("b", "a sofa")]


def test_standard_input_tells_what_divides_it(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("title;kind\n" + "a lamp;lamp\n" * 30))
    items = list(read_items("-", Columns(text=("title",))))
    assert [item.text for item in items] == ["a lamp"] * 30


@pytest.mark.parametrize(
    ("line", "reason"),
    [("[1]", "row 2: every line must be a JSON object, not"),
     ('{"text": ' + "[" * 100_000 + "]" * 100_000 + "}", "row 2: .*nested too deep")],
    ids=["list", "deep"],
)
def test_lines_that_are_no_objects_are_named(line, reason, tmp_path):
    file = tmp_path / "items.jsonl"
    file.write_text('{"text": "a"}\n' + line + "\n")
    with pytest.raises(BundleError, match=reason):
        list(read_items(str(file), Columns(text=("text",))))
