"""Named columns from CSV, TSV, JSON Lines and Parquet files, and the texts and pictures they hold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from pipeline.data.samples import BytesPicture, FilePicture, Picture, SourceError
from pipeline.data.sources.problems import first_few, hint

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
ENDINGS = (*DELIMITERS, *JSON_LINES, ".parquet")


@dataclass(frozen=True)
class Columns:
    """Columns of one file.

    Parameters
    ----------
    file : where they come from.
    names : every column of the file, in its order.
    table : those that were asked for and exist, m rows.
    """

    file: Path
    names: tuple[str, ...]
    table: pa.Table

    def place(self, row: int) -> str:
        """Name row `row` (counted from 0) for a message, where rows count from 1."""
        return f"{self.file.name} row {row + 1}"


def read_columns(file: Path, wanted: Collection[str]) -> Columns:
    """Read those of the `wanted` columns that the file has; its ending says what kind of file it is.

    CSV, TSV and JSON Lines (UTF-8, with or without a byte order mark) come as text throughout, so
    that "007" stays "007"; Parquet columns keep their types.

    Raises
    ------
    SourceError
        Where the file is of another kind or damaged, with every bad row.
    """
    ending = file.suffix.lower()
    try:
        if ending in DELIMITERS:
            return _read_delimited(file, DELIMITERS[ending], wanted)
        if ending in JSON_LINES:
            return _read_json_lines(file, wanted)
        if ending == ".parquet":
            return _read_parquet(file, wanted)
    except (pa.ArrowException, OSError, csv.Error) as error:
        raise SourceError([f"{file} cannot be read: {error}"]) from error
    raise SourceError([f"{file}: a table's ending says its kind, and '{ending}' is none of the known "
                       f"ones{hint(ending, ENDINGS, 'known')}"])


def missing_columns(
    asked: Sequence[tuple[str, str]], known: Collection[str], file: Path
) -> list[str]:
    """One problem for each column that is asked for, as pairs of grid key and name, and does not exist."""
    return [f"{key}: {file.name} has no column '{name}'{hint(name, known, 'columns')}"
            for key, name in asked if name not in known]


def _utf8(file: Path) -> bytes:
    """Read the file's bytes without a byte order mark, and make sure that they are UTF-8."""
    content = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceError([f"{file} line {line}: tables must be UTF-8 text, and byte "
                           f"0x{content[error.start]:02x} is not; save it as UTF-8"]) from error
    return content


def _once(file: Path, names: Sequence[str], wanted: Collection[str]) -> list[str]:
    """List the wanted columns that the file has, each of which may stand in it only once."""
    twice = sorted({name for name in wanted if names.count(name) > 1})
    if twice:
        raise SourceError(
            [f"{file.name} has more than one column '{name}'; rename one" for name in twice]
        )
    return [name for name in names if name in wanted]


def _read_delimited(file: Path, delimiter: str, wanted: Collection[str]) -> Columns:
    content = _utf8(file)
    names = next(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=delimiter), [])
    if not names:
        raise SourceError([f"{file} is empty; its first line must name the columns"])
    columns = _once(file, names, wanted)
    if not columns:
        return Columns(file, tuple(names), pa.table({}))
    wrong: list[str] = []

    def refuse(row: Any) -> str:
        wrong.append(f"{file.name} row {row.number - 1}: {row.actual_columns} fields where the header has "
                     f"{row.expected_columns}; put fields with '{delimiter}' or line breaks in quotes")
        return "skip"

    table = pa_csv.read_csv(
        pa.BufferReader(content),
        # One block for the whole file: a row longer than a block would be an error.
        pa_csv.ReadOptions(use_threads=False, block_size=min(len(content) + 1, 2**31 - 1)),
        pa_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse
        ),
        pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()), include_columns=columns
        ),
    )
    if wrong:
        raise SourceError(first_few(wrong, "such rows"))
    return Columns(file, tuple(names), table)


def _read_json_lines(file: Path, wanted: Collection[str]) -> Columns:
    lines = (line for line in _utf8(file).split(b"\n") if line.strip())
    rows: list[Mapping[str, str | None]] = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(_json_row(line, wanted))
        except ValueError as error:
            problems.append(f"{file.name} row {number}: {error}")
    if problems:
        raise SourceError(first_few(problems, "such rows"))
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: pa.array([row.get(name) for row in rows], pa.large_string())
                      for name in names if name in wanted})
    return Columns(file, names, table)


def _json_row(line: bytes, wanted: Collection[str]) -> dict[str, str | None]:
    """Parse one line's object, with the wanted values as text; numbers stay as they are written."""
    try:
        row = json.loads(line, parse_int=str, parse_float=_whole, parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        raise ValueError(f"every line must be a JSON object: {error}") from error
    if not isinstance(row, dict):
        raise ValueError(
            f"every line must be a JSON object, not {line[:40].decode(errors='replace')}"
        )
    return {
        name: _json_text(name, value) if name in wanted else None for name, value in row.items()
    }


def _json_text(name: str, value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if value is not None and not isinstance(value, str):
        raise ValueError(
            f"'{name}' must be text, a number, true, false or null, not {type(value).__name__}"
        )
    if value is not None and any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError(f"'{name}' holds half of a surrogate pair, which is no text")
    return value


def _read_parquet(file: Path, wanted: Collection[str]) -> Columns:
    with pq.ParquetFile(file) as content:
        names = content.schema_arrow.names
        return Columns(file, tuple(names), content.read(columns=_once(file, names, wanted)))


def _whole(number: str) -> str:
    """Write a number as text, 3 for 3.0."""
    return number.removesuffix(".0")


def texts(columns: Columns, name: str) -> list[str | None]:
    """Read column `name` as text without white space around it; None where nothing is left.

    Raises
    ------
    SourceError
        Where the column's type has no plain text (lists, structs, bytes that are no UTF-8).
    """
    column = columns.table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    floating = pa.types.is_floating(column.type)
    try:
        values = column.cast(pa.large_string()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SourceError([f"{columns.file.name} column '{name}' must hold text, numbers, dates or true and "
                           f"false, not {column.type}"]) from error
    if floating:
        values = [None if text in {None, "nan"} else _whole(text) for text in values]
    return [text.strip() or None if text else None for text in values]


def pictures(columns: Columns, name: str, places: Sequence[str]) -> list[Picture | None]:
    """Collect the pictures of column `name`: encoded bytes, paths relative to the file's folder, or {bytes, path}.

    Bytes are not copied: each picture is a view into the table.

    Raises
    ------
    SourceError
        Where the column holds something else.
    """
    column = columns.table[name]
    kind = column.type
    if pa.types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}:
        parts = dict(zip((field.name for field in kind), column.flatten(), strict=True))
        held = _from_bytes(parts["bytes"], places)
        paths = _from_paths(parts["path"], columns.file.parent)
        return [picture or path for picture, path in zip(held, paths, strict=True)]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return _from_paths(column, columns.file.parent)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _from_bytes(column, places)
    raise SourceError([f"{columns.file.name} column '{name}' must hold picture paths or encoded pictures' "
                       f"bytes, not {kind}"])


def _from_bytes(column: pa.ChunkedArray, places: Sequence[str]) -> list[Picture | None]:
    buffers = (value.as_buffer() for value in column)
    return [BytesPicture(place, memoryview(buffer)) if buffer else None
            for place, buffer in zip(places, buffers, strict=True)]


def _from_paths(column: pa.ChunkedArray, folder: Path) -> list[Picture | None]:
    return [FilePicture(folder / path.strip()) if path and path.strip() else None
            for path in column.to_pylist()]
