"""Rows of CSV, TSV, JSON Lines and Parquet files, one after the other."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.data.reading.arrow_types import without_views
from pipeline.data.reading.delimited import DELIMITERS, HEAD, ROWS, Delimited
from pipeline.data.reading.json_rows import json_object
from pipeline.data.samples import SourceError
from pipeline.data.sources.column_values import texts
from pipeline.data.sources.columns import ENDINGS, JSON_LINES
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
    ending = Path(source).suffix.lower()
    try:
        if source == "-":
            first = list(islice(sys.stdin, ROWS))
            form = Delimited.of("".join(first), ".csv", columns.quoting, QUOTING_OPTION)
            yield from _delimited(chain(first, sys.stdin), form, source)
        elif ending in DELIMITERS:
            with Path(source).open(encoding="utf-8-sig", newline="") as file:
                form = Delimited.of(file.read(HEAD), ending, columns.quoting, QUOTING_OPTION)
                _check_quotes(Path(source), form)
                file.seek(0)
                yield from _delimited(file, form, source)
        elif ending in JSON_LINES:
            with Path(source).open(encoding="utf-8-sig") as file:
                yield from _json_rows(file)
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


def _json_rows(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for row, line in enumerate(filter(str.strip, lines), 1):
        try:
            yield json_object(line)
        except ValueError as error:
            raise ValueError(f"row {row}: {error}") from error


def _of_parquet(file: Path, columns: Columns) -> Iterator[Mapping[str, Any]]:
    """Rows whose texts, labels and ids are written as those that the bundle learned from."""
    plain = {*columns.text, columns.label, columns.id}
    with pq.ParquetFile(file) as content:
        for batch in content.iter_batches(AT_ONCE):
            table = without_views(pa.Table.from_batches([batch]))
            held = TableColumns(file, tuple(table.column_names), table)
            values = [
                texts(held, name) if name in plain else table[name].to_pylist()
                for name in held.names
            ]
            yield from (
                dict(zip(held.names, row, strict=True)) for row in zip(*values, strict=True)
            )


def _check_quotes(file: Path, form: Delimited) -> None:
    """Raise BundleError where quotes are broken, or swallow rows."""
    problems = form.problems(file.read_bytes())
    if problems:
        raise BundleError("\n".join(f"{file.name} {problem}" for problem in problems))


def _delimited(
    lines: Iterable[str], form: Delimited, source: str
) -> Iterator[Mapping[str, Any]]:
    """Rows of CSV, all of whose values have a name."""
    reader = csv.DictReader(lines, strict=True, **form.dialect())
    try:
        for number, row in enumerate(reader, 1):
            if None in row or None in row.values():
                names = reader.fieldnames or ()
                raise BundleError(
                    f"{source} row {number} (line {reader.line_num}): "
                    f"{'more' if None in row else 'fewer'} fields than the {len(names)} of the "
                    f"header; put fields with '{form.delimiter}' or line breaks in quotes"
                )
            yield row
    except csv.Error as error:
        raise BundleError(f"{source} line {reader.line_num + 1} cannot be read: {error}") from error
