"""Headers of tables: the names of all columns, by the beginning of the file."""

from __future__ import annotations

import json

import pytest

from pipeline.data.reading import header
from pipeline.data.reading.header import delimited_names, json_names
from pipeline.data.samples import SourceError


@pytest.mark.parametrize(("text", "names"), [
    ("a,b\n1,2\n", ["a", "b"]),
    ("a;b c\n1;2\n3;4", ["a", "b c"]),
    ("\n\na,b\n1,2\n", ["a", "b"]),
    ('"a, or\nb",c\n1,2\n', ["a, or\nb", "c"]),
    ("a", ["a"]),
    ("", []),
])
def test_the_first_line_names_the_columns(tmp_path, text, names):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert delimited_names(tmp_path / "a.csv", None) == names


def test_a_header_longer_than_what_tells_the_delimiter_is_read_whole(tmp_path):
    names = [f"größe {number}" for number in range(10_000)]
    (tmp_path / "a.csv").write_text(",".join(names) + "\n" + "1," * 9_999 + "1\n", "utf-8")
    assert len(",".join(names)) > header.HEAD
    assert delimited_names(tmp_path / "a.csv", None) == names


def test_rows_behind_the_beginning_are_not_looked_at(tmp_path):
    rows = b"1,2\n" * header.HEAD + b"\xff\xfe,3\n"
    (tmp_path / "a.csv").write_bytes(b"a,b\n" + rows)
    assert delimited_names(tmp_path / "a.csv", None) == ["a", "b"]
    (tmp_path / "b.csv").write_bytes(b"a,\xff\n")
    with pytest.raises(SourceError, match="line 1: must be UTF-8 text"):
        delimited_names(tmp_path / "b.csv", None)


def test_lines_are_read_until_all_that_is_asked_for_is_there(tmp_path):
    rows = [{"a": 1}, {"a": 2, "b": 3}, {"c": 4}]
    lines = [*map(json.dumps, rows), "no row"]
    (tmp_path / "a.jsonl").write_text("\n".join(["", *lines]), "utf-8")
    assert json_names(tmp_path / "a.jsonl", ["b"]) == ["a", "b"]
    assert json_names(tmp_path / "a.jsonl", ["a", "c"]) == ["a", "b", "c"]
    with pytest.raises(SourceError, match=r"a\.jsonl row 4: every line must be a JSON object"):
        json_names(tmp_path / "a.jsonl", ["d"])
