"""Rows of CSV, TSV, JSON Lines and Parquet files, one after the other."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.data.reading.arrow_types import without_views
from pipeline.data.reading.delimited import DELIMITERS, Delimited
from pipeline.data.reading.json_rows import json_object
from pipeline.data.reading.utf8 import utf8, utf8_file
from pipeline.data.samples import SourceError
from pipeline.data.sources.column_values import texts
from pipeline.data.sources.columns import ENDINGS, JSON_LINES, json_text, once
from pipeline.data.sources.columns import Columns as TableColumns
from pipeline.use.items.columns import Columns
from pipeline.use.problem import BundleError

QUOTING_OPTION = "--quoting {}"
AT_ONCE = 512  # rows of a Parquet file that are read together


def table_rows(source: str, columns: Columns) -> Iterator[Mapping[str, Any]]:
    """Rows by the names of their columns; "-" stands for CSV from standard input.

    Raises
    ------
    BundleError
        Where the file is of another kind, cannot be read, or has a damaged row.
    """
    ending = ".csv" if source == "-" else Path(source).suffix.lower()
    try:
        if ending in DELIMITERS:
            yield from _delimited_rows(source, ending, columns)
        elif ending in JSON_LINES:
            yield from _json_rows(utf8_file(Path(source)), columns)
        elif ending == ".parquet":
            yield from _of_parquet(Path(source), columns)
        else:
            raise BundleError(
                f"{source}: a table's ending says its kind: {', '.join(ENDINGS)}"
            )
    except SourceError as error:
        raise BundleError(str(error)) from error
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise BundleError(f"{source} cannot be read: {error}") from error


def _json_rows(content: bytes, columns: Columns) -> Iterator[Mapping[str, Any]]:
    """Rows that all have the keys of all: of what holds no value in the first, others may."""
    names: dict[str, None] = {}
    for row in _json_objects(content, columns.used):
        names |= dict.fromkeys(row)
    for row in _json_objects(content, columns.used):
        yield {**names, **row}


def _json_objects(content: bytes, used: Collection[str]) -> Iterator[dict[str, Any]]:
    lines = (line for line in io.BytesIO(content) if line.strip())
    for number, line in enumerate(lines, 1):
        try:
            yield {
                name: json_text(name, value) if name in used or isinstance(value, str) else value
                for name, value in json_object(line).items()
            }
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from error


def _of_parquet(file: Path, columns: Columns) -> Iterator[Mapping[str, Any]]:
    """Rows whose texts, labels and ids are written as those that the bundle learned from."""
    plain = {*columns.text, columns.label, columns.id}
    with pq.ParquetFile(file) as content:
        names = content.schema_arrow.names
        once(file.name, names, columns.asked(names))
        for batch in content.iter_batches(AT_ONCE):
            table = without_views(pa.Table.from_batches([batch]))
            held = TableColumns(file, tuple(table.column_names), table)
            values = [
                texts(held, name) if name in plain else table.column(number).to_pylist()
                for number, name in enumerate(held.names)
            ]
            yield from (
                dict(zip(held.names, row, strict=True)) for row in zip(*values, strict=True)
            )


def _delimited_rows(source: str, ending: str, columns: Columns) -> Iterator[Mapping[str, Any]]:
    """Rows of CSV or TSV, all of whose values have a name."""
    if source == "-":
        name = "standard input"
        content = utf8(sys.stdin.buffer.read(), name)
    else:
        name = Path(source).name
        content = utf8_file(Path(source))
    form = Delimited.of(content, name, ending, columns.quoting, QUOTING_OPTION)
    reader = form.records(content)
    rows = filter(None, reader)
    names = next(rows, None)
    if names is None:
        raise BundleError(f"{name} is empty; its first line must name the columns")
    once(name, names, columns.asked(names))
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            size = "more" if len(row) > len(names) else "fewer"
            raise BundleError(
                f"{name} row {number} (line {reader.line_num}): {size} fields than the "
                f"{len(names)} of the header; put fields with '{form.delimiter}' or line breaks in "
                "quotes"
            )
        yield dict(zip(names, row, strict=True))
