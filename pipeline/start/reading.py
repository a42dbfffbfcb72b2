"""A table read whole, whatever its columns hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from features.pictures.decoding import UnreadablePicture, check
from pipeline.data.reading.delimited import DELIMITERS
from pipeline.data.reading.quotes import Quoting
from pipeline.data.samples import Picture, SourceError
from pipeline.data.sources.column_values import pictures, texts
from pipeline.data.sources.columns import Choice, Columns, read_columns
from pipeline.data.sources.parquet import footers, parquet_files
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
    choice = _Named()
    encoded = _picture_columns(file)
    table, quoting = _read(file, choice, encoded)
    looked_at = [
        Column(name, len(table.table), 0, problem=choice.problems[name])
        if name in choice.problems
        else _column(table, name, name in encoded)
        for name in dict.fromkeys(table.names)
    ]
    if not table.table.num_columns or not len(table.table):
        raise SourceError([f"{file} holds no rows with columns that can be read"])
    return LookedAt(file, tuple(looked_at), table, quoting)


class _Named:
    """Chooses the columns that can be read.

    Attributes
    ----------
    problems : why the others cannot.
    """

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def __call__(self, names: Sequence[str], nested: Collection[str]) -> list[str]:
        """See pipeline.data.sources.columns.Choice."""
        self.problems = {name: TWICE for name in names if names.count(name) > 1}
        self.problems |= {name: NAMELESS for name in names if not name.strip()}
        self.problems |= dict.fromkeys(nested, NESTED)
        return [name for name in names if name not in self.problems]


def _read(
    file: Path, choice: Choice, encoded: Collection[str]
) -> tuple[Columns, Quoting | None]:
    """The table; and "none" where only without quotes the file makes sense."""
    try:
        return read_columns(file, choice, encoded), None
    except SourceError as error:
        if file.suffix.lower() not in DELIMITERS:
            raise
        try:
            return read_columns(file, choice, quoting="none"), "none"
        except SourceError:
            raise error from None


def _picture_columns(file: Path) -> set[str]:
    """Columns of Parquet files that hold bytes, or bytes with a path as Hugging Face has them."""
    if not file.is_dir() and file.suffix.lower() != ".parquet":
        return set()
    first, *_ = footers(parquet_files(file) if file.is_dir() else [file])
    return {field.name for field in first.schema if _may_be_picture(field.type)}


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
