"""Quotes of CSV and TSV files that swallow rows: told with the row, and sound ones left alone."""

from __future__ import annotations

import csv
import io

import pytest

from pipeline.data.reading.quotes import Quotes
from pipeline.data.sources.table import Table
from tests.support.source_examples import problems_of

SWALLOWED = {
    "never closes": (
        "r12,b,\"blue chair",
        None,
        "row 13 (line 14): a quote opens and never closes",
    ),
    "text behind the end": (
        "r12,b,\"blue chair",
        "r25,a,\"red apple",
        "row 13 (line 14): a quote opens that closes, in line 27, before the end of its field",
    ),
    "text behind the end in its line": (
        'r12,b,"blue" chair',
        None,
        "row 13 (line 14): a quote opens that closes, in line 14, before the end of its field",
    ),
    "rows between two that look like a pair": (
        "r12,b,\"blue chair",
        'r25,a,red apple"',
        "row 13 (line 14): a quote opens that closes 13 lines later, and each of these lines",
    ),
    "two rows that look like a pair": (
        "r12,b,\"blue chair",
        'r13,a,red apple"',
        "row 13 (line 14): a quote opens that closes 1 line later, and each of these lines",
    ),
}


def table_of(folder, ending, changed):
    """40 rows of id, label and text, some of which are written as they are given."""
    lines = [f"r{i},{'ab'[i % 2]},{'red apple' if i % 2 else 'blue chair'}" for i in range(40)]
    for line in filter(None, changed):
        lines[int(line[1:3])] = line
    content = "\n".join(["id,label,text", *lines, ""])
    if ending == ".tsv":
        content = content.replace(",", "\t")
    (folder / f"items{ending}").write_text(content)
    return f"items{ending}"


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
@pytest.mark.parametrize("fault", SWALLOWED)
def test_a_quote_that_swallows_rows_is_told_with_the_row_where_it_opens(fault, ending, tmp_path):
    *changed, said = SWALLOWED[fault]
    path = table_of(tmp_path, ending, changed)
    table = Table(path=path, text="text", label="label")
    problem = problems_of(lambda: table.load(tmp_path))[0]
    assert problem.startswith(f"{path} {said}")
    assert "quoting: none" in problem
    read = Table(path=path, text="text", label="label", quoting="none").load(tmp_path)
    assert len(read) == 40
    assert read.texts[12] == changed[0].split(",")[2]


def test_a_pair_that_holds_all_of_a_small_file_is_told(tmp_path):
    (tmp_path / "items.tsv").write_text(
        'text\tcls\n"12 inch pan\tkitchen\nblue mug\tkitchen\nred car 5"\ttoy\ngreen bus\ttoy\n'
    )
    table = Table(path="items.tsv", text="text", label="cls")
    assert problems_of(lambda: table.load(tmp_path))[0].startswith("items.tsv row 1 (line 2)")
    read = Table(path="items.tsv", text="text", label="cls", quoting="none").load(tmp_path)
    assert read.labels == ["kitchen", "kitchen", "toy", "toy"]
    assert read.texts[0] == '"12 inch pan'
    vouched = Table(path="items.tsv", text="text", label="cls", quoting="double").load(tmp_path)
    assert vouched.labels == ["toy", "toy"]


def test_texts_of_lines_with_commas_and_quotes_are_left_alone(tmp_path):
    texts = [
        'Hello, world\nsecond line, "quoted", with commas',
        'a 5" pan',
        "one\r\ntwo\rthree",
        'ends with a quote"',
        "a, b, c\n\nd, e, f",
        "plain",
    ] * 50
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["text", "label"])
    writer.writerows((text, "ab"[row % 2]) for row, text in enumerate(texts))
    (tmp_path / "items.csv").write_bytes(file.getvalue().encode())
    read = Table(path="items.csv", text="text", label="label").load(tmp_path)
    assert read.texts == texts


def test_a_joined_file_has_a_quoting_of_its_own(tmp_path):
    (tmp_path / "items.csv").write_text('id,label\n"1",a\n2,b\n')
    (tmp_path / "texts.tsv").write_text('id\ttext\n1\t"open\n2\tplain\n')
    join = {"path": "texts.tsv", "on": "id"}
    table = Table(path="items.csv", text="text", label="label", join=join)
    assert problems_of(lambda: table.load(tmp_path))[0].startswith("texts.tsv row 1 (line 2)")
    table = Table(path="items.csv", text="text", label="label", join={**join, "quoting": "none"})
    assert table.load(tmp_path).texts == ['"open', "plain"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_count_by_records_and_lines_by_line_ends(end):
    content = end.join(["a,b", '"two', 'lines",1', "", "x,2", 'y,"open', ""]).encode()
    assert list(Quotes(content, ",").broken()) == ["row 3 (line 6): a quote opens and never closes"]


def test_a_file_of_nothing_but_broken_quotes_is_refused_at_once():
    quotes = Quotes(b'a,b\n' + b'"x"y,"z\n' * 200_000, ",")
    assert next(quotes.broken()).startswith("row 1 (line 2)")
    assert next(quotes.swallowing(), None) is None
