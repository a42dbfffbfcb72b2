"""A table read whole, whatever its columns hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.pictures.decoding import UnreadablePicture, check
from pipeline.data.reading.delimited import DELIMITERS
from pipeline.data.reading.json_rows import json_object
from pipeline.data.reading.quotes import Quoting
from pipeline.data.samples import Picture, SourceError
from pipeline.data.sources.column_values import pictures, texts
from pipeline.data.sources.columns import JSON_LINES, Columns, read_columns
from pipeline.data.sources.parquet import parquet_files
from pipeline.start.column import Column

TWICE = "several columns have this name"
NAMELESS = "no name"
NESTED = "lists or objects"
NO_PICTURES = "bytes that are no pictures"
OPENED = 10  # pictures that are opened to see whether bytes are some


@dataclass(frozen=True, eq=False)
class LookedAt:
    """A table and what each of its columns seems to be.

    Parameters
    ----------
    file : the table: a file, or a folder of Parquet files.
    quoting : what `quoting` must say of it in a grid; None for nothing.
    """

    file: Path
    columns: tuple[Column, ...]
    table: Columns = field(repr=False)
    quoting: Quoting | None = None

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.columns[0].rows if self.columns else 0

    def values(self, name: str) -> list[str | None]:
        """A column's values as text."""
        return texts(self.table, name)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)


def look_at(file: Path) -> LookedAt:
    """Read a CSV, TSV, JSON Lines or Parquet file, or a folder of Parquet files.

    Raises
    ------
    SourceError
        Where no grid could read it either, with the reason.
    """
    names, quoting = _header(file)
    problems = _problems(file, names)
    encoded = _picture_columns(file)
    asked = [name for name in names if name not in problems]
    table = read_columns(file, asked, encoded, quoting)
    columns = [
        Column(name, len(table.table), 0, problem=problems[name])
        if name in problems
        else _column(table, name, name in encoded)
        for name in dict.fromkeys(names)
    ]
    if not table.table.num_columns or not len(table.table):
        raise SourceError([f"{file} holds no rows with columns that can be read"])
    return LookedAt(file, tuple(columns), table, quoting)


def _header(file: Path) -> tuple[list[str], Quoting | None]:
    """The names of the columns; and "none" where only without quotes the file makes sense."""
    try:
        return list(read_columns(file, ()).names), None
    except SourceError as error:
        if file.suffix.lower() not in DELIMITERS:
            raise
        try:
            names = list(read_columns(file, (), quoting="none").names)
            read_columns(file, names[:1], quoting="none")
        except SourceError:
            raise error from None
        return names, "none"


def _problems(file: Path, names: Sequence[str]) -> dict[str, str]:
    """Why some of the columns cannot be read."""
    problems = {name: TWICE for name in names if names.count(name) > 1}
    problems |= {name: NAMELESS for name in names if not name.strip()}
    if file.suffix.lower() in JSON_LINES:
        problems |= dict.fromkeys(_nested(file), NESTED)
    return problems


def _nested(file: Path) -> set[str]:
    """Keys of JSON Lines with lists or objects, which are no values of a table."""
    nested: set[str] = set()
    with file.open(encoding="utf-8-sig") as lines:
        for line in filter(str.strip, lines):
            nested |= {key for key, value in json_object(line).items() if _is_nested(value)}
    return nested


def _is_nested(value: object) -> bool:
    return isinstance(value, list | dict)


def _picture_columns(file: Path) -> set[str]:
    """Columns of Parquet files that hold bytes, or bytes with a path as Hugging Face has them."""
    if not file.is_dir() and file.suffix.lower() != ".parquet":
        return set()
    schema = pq.read_schema(parquet_files(file)[0] if file.is_dir() else file)
    return {field.name for field in schema if _may_be_picture(field.type)}


def _may_be_picture(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return {"bytes", "path"} <= {field.name for field in kind}
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    )


def _is_readable(picture: Picture) -> bool:
    try:
        check(picture.read())
    except (OSError, UnreadablePicture):
        return False
    return True


def _column(table: Columns, name: str, holds_pictures: bool) -> Column:
    rows = len(table.table)
    if holds_pictures:
        held = [picture for picture in pictures(table, name, [name] * rows) if picture is not None]
        if held and not any(map(_is_readable, held[:: max(1, len(held) // OPENED)])):
            return Column(name, rows, 0, problem=NO_PICTURES)
        return Column(name, rows, len(held), holds_pictures=bool(held))
    try:
        return Column.of(name, texts(table, name))
    except SourceError:
        kind = table.table[name].type
        return Column(name, rows, 0, problem=NESTED if pa.types.is_nested(kind) else str(kind))
