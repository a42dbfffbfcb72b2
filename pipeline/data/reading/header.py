"""The names of a table's columns, by as few of its rows as tell them."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Collection
from pathlib import Path

from pipeline.data.reading.delimited import HEAD, Delimited, delimiter_of
from pipeline.data.reading.json_rows import json_object
from pipeline.data.reading.quotes import Quoting
from pipeline.data.reading.regular_files import open_regular
from pipeline.data.reading.utf8 import utf8
from pipeline.data.samples import SourceError


def delimited_names(file: Path, quoting: Quoting | None) -> list[str]:
    """What the first line of a CSV or TSV file names; nothing where it is empty.

    Raises
    ------
    SourceError
        Where it is no UTF-8.
    OSError, csv.Error
        Where it cannot be read.
    """
    with open_regular(file) as content:
        head = utf8(content.read(HEAD) + content.readline(), str(file))  # the last line is whole
    beginning = head[:HEAD].decode(errors="ignore")
    delimiter = delimiter_of(beginning, file.suffix.lower(), quoting)
    return Delimited(delimiter, quoting).header(head)


def json_names(file: Path, asked: Collection[str]) -> list[str]:
    """The keys of the rows of JSON Lines, up to the row by which all that are asked for are there.

    Raises
    ------
    SourceError
        With the first of these rows that is none.
    OSError
        Where it cannot be read.
    """
    names: dict[str, None] = {}
    with open_regular(file) as content:
        lines = (line.removeprefix(BOM_UTF8) for line in content)
        for number, line in enumerate(filter(bytes.strip, lines), 1):
            try:
                names.update(dict.fromkeys(json_object(utf8(line, str(file)))))
            except ValueError as error:
                raise SourceError([f"{file.name} row {number}: {error}"]) from error
            if names.keys() >= set(asked):
                break
    return list(names)
