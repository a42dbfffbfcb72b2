"""What stands between the values of a file is told by how it begins."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.reading.delimited import HEAD, delimiter_of
from pipeline.data.sources.columns import read_columns


@pytest.mark.parametrize(
    ("head", "delimiter"),
    [
        ("title,kind\na lamp,lamp\n", ","),
        ("title;kind\na lamp;lamp\n", ";"),
        ("title\tkind\na lamp\tlamp\n", "\t"),
        # a comma as the decimal sign, and one in a name
        ("price, EUR;title;kind\n3,50;a lamp;lamp\n", ";"),
        # semicolons within texts
        ("title,kind\na lamp; it gives light,lamp\n", ","),
        ("a;b;c,kind\n1;2;3,lamp\n4,lamp\n5,sofa\n", ","),
        # a row that is wrong decides nothing
        ("title,kind\na lamp,lamp,red\na sofa,sofa\n", ","),
        ('"title; long";kind\n"a lamp\nof brass";lamp\na sofa;sofa\n', ";"),
        ("title\na lamp\n", ","),
        ("", ","),
    ],
)
def test_the_delimiter_is_what_divides_header_and_rows_alike(head: str, delimiter: str):
    assert delimiter_of(head, ".csv") == delimiter


def test_a_tsv_has_tabs():
    assert delimiter_of("a;b\n1;2\n", ".tsv") == "\t"


_VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=8)


@given(st.lists(st.lists(_VALUES, min_size=3, max_size=3), min_size=2, max_size=30),
       st.sampled_from(",;\t"))
def test_what_a_writer_wrote_is_read(rows: list[list[str]], delimiter: str):
    """Names without delimiters, as nearly all are; values may hold what they like."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["id", "text", "kind"], *rows])
    assert delimiter_of(text.getvalue()[:HEAD], ".csv") == delimiter


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_reads_alike_whatever_divides_it(tmp_path, delimiter: str):
    file = tmp_path / "items.csv"
    rows = [["title", "kind"], ["a lamp", "lamp"], ["größe 3,5", "sofa"]]
    file.write_text("\n".join(map(delimiter.join, rows if delimiter != "," else rows[:2])) + "\n")
    columns = read_columns(file, ["title", "kind"])
    assert columns.names == ("title", "kind")
    assert columns.table["kind"].to_pylist()[0] == "lamp"
    assert columns.table["title"].to_pylist()[-1] == ("größe 3,5" if delimiter != "," else "a lamp")


def test_a_head_that_ends_within_a_letter_or_a_value_tells_as_much(tmp_path):
    file = tmp_path / "items.csv"
    row = '"' + "ö" * 5000 + '\n;";lamp\n'
    file.write_text("title;kind\n" + row * 20)
    assert read_columns(file, ["kind"]).table["kind"].to_pylist() == ["lamp"] * 20
