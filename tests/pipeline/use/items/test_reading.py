"""Items of every format have the very texts that the rows of a grid have."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.data.samples import SourceError
from pipeline.data.sources.table import Table
from pipeline.use.items.columns import Columns
from pipeline.use.items.reading import read_items
from pipeline.use.problem import BundleError
from tests.support.tables import standard_input

COLUMNS = {
    "id": [4006381333931.0, 2.5],
    "text": [Decimal("3.00"), Decimal("0.10")],
    "label": [True, False],
}


COLUMNS_OF_TEXT = Columns(text=("text",), label="kind")


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


LARGE = "x" * 200_000  # more than Python's csv module takes unless it is told
NESTED = '{"text": {"a": 1}, "kind": "k"}\n'
# Tables and their texts; None where both readers refuse them.
WRITTEN = {
    "a mark of the byte order, and a quote": (".csv", b'\xef\xbb\xbf"text",kind\na,k\n', ["a"]),
    "a mark in front of lines": (".jsonl", b'\xef\xbb\xbf{"text": "a", "kind": "k"}\n', ["a"]),
    "letters of many bytes beyond the head": (
        ".csv", b"text;kind\n" + "ä, ö;k\n".encode() * 30_000, ["ä, ö"] * 30_000),
    "a large value": (".csv", f"text,kind\n{LARGE},k\n".encode(), [LARGE]),
    "Latin-1": (".csv", b"text,kind\n\xe9t\xe9,k\n", None),
    "Latin-1 in lines": (".jsonl", b'{"text": "\xe9", "kind": "k"}\n', None),
    "UTF-16": (".csv", "text,kind\na,k\n".encode("utf-16"), None),
    "a quote that never closes": (".csv", b'text,kind\n"a,k\nb,k\n', None),
    "quotes that swallow rows": (
        ".csv", b'text,kind\n' + b"a,k\n" * 9 + b'"b,k\nc,k\nd",k\n', None),
    "a column twice": (".csv", b"text,kind,text\na,k,b\n", None),
    "a key twice": (".jsonl", b'{"text": "a", "kind": "k", "text": "b"}\n', None),
    "a nested value": (".jsonl", NESTED.encode(), None),
    "half of a surrogate pair": (".jsonl", b'{"text": "\\ud800", "kind": "k"}\n', None),
    "nothing": (".csv", b"", None),
    "empty lines in front, and between": (".csv", b"\r\n\ntext,kind\n\na,k\n", ["a"]),
    "empty lines alone": (".csv", b"\n\n", None),
}


@pytest.mark.parametrize(("ending", "content", "texts"), WRITTEN.values(), ids=WRITTEN)
def test_items_are_read_as_the_rows_of_a_grid_or_refused_as_these(
    ending, content, texts, tmp_path, monkeypatch
):
    file = tmp_path / f"items{ending}"
    file.write_bytes(content)
    monkeypatch.setattr("sys.stdin", standard_input(content))
    readers = [
        lambda: Table(path=file.name, text="text", label="kind").load(tmp_path).texts,
        *(lambda source=source: [item.text for item in read_items(source, COLUMNS_OF_TEXT)]
          for source in (str(file), *(["-"] if ending == ".csv" else []))),
    ]
    for read in readers:
        if texts is None:
            with pytest.raises((SourceError, BundleError)):
                read()
        else:
            assert read() == texts


def test_a_column_of_parquet_that_is_there_twice_is_refused(tmp_path):
    file = tmp_path / "items.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, ["text", "text"]), file)
    with pytest.raises(BundleError, match="more than one column 'text'; rename one"):
        list(read_items(str(file), COLUMNS_OF_TEXT))


def test_keys_that_the_first_line_lacks_are_columns_too(tmp_path):
    file = tmp_path / "items.jsonl"
    file.write_text('{"id": "a"}\n{"text": "b", "brand": "c"}\n')
    items = list(read_items(str(file), Columns(text=("text",), id="id", others=True)))
    assert [item.text for item in items] == [None, "b"]
    assert [item.row for item in items] == [
        {"id": "a", "brand": None}, {"id": None, "brand": "c"}
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
    monkeypatch.setattr("sys.stdin", standard_input(b"title;kind\n" + b"a lamp;lamp\n" * 30))
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
