"""Columns of Parquet files: pictures in them stay on disk until they are asked for."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any

from pipeline.data.reading import arrow as pa
from pipeline.data.reading.arrow_types import plain_type, without_views
from pipeline.data.reading.regular_files import check_regular
from pipeline.data.samples import SourceError
from pipeline.data.sources.problems import first_few

GROUPS = 2  # row groups of pictures in memory at once, in each process


@dataclass(frozen=True)
class PictureColumn:
    """A column of encoded pictures in Parquet files.

    Parameters
    ----------
    files : the files, one after the other.
    name : the column's; of a struct {bytes, path} with ".bytes" behind it.
    ends : for each file, the row behind each of its row groups, counted over all files.
    """

    files: tuple[Path, ...]
    name: str
    ends: tuple[tuple[int, ...], ...]

    def bytes_of(self, row: int) -> bytes:
        """The encoded picture in a row. Raises OSError where it is no longer there."""
        number = bisect_right([ends[-1] for ends in self.ends], row)
        group = bisect_right(self.ends[number], row)
        first = self.ends[number - 1][-1] if number else 0
        start = self.ends[number][group - 1] if group else first
        column = _GROUPS.column(self.files[number], group, self.name)
        value = column[row - start] if row - start < len(column) else None
        if value is None or not value.is_valid:
            raise OSError(f"row {row + 1} no longer holds a picture")
        return bytes(value.as_buffer())


@dataclass(frozen=True, slots=True)
class ParquetPicture:
    """A picture whose encoded bytes stand in a row of Parquet files, counted over all of them."""

    name: str
    column: PictureColumn
    row: int

    @property
    def order(self) -> tuple[str, int]:
        """See Picture: rows of a row group come from memory."""
        return str(self.column.files[0]), self.row

    def read(self) -> bytes:
        """The bytes."""
        return self.column.bytes_of(self.row)

    def digest(self) -> str:
        """Sha256 of the bytes."""
        return hashlib.sha256(self.read()).hexdigest()


class _RowGroups:
    """The row groups that were read last: many pictures of each are asked for in a row."""

    def __init__(self) -> None:
        self._columns: OrderedDict[tuple[Path, int, int, str], pa.Array] = OrderedDict()
        self._lock = Lock()

    def column(self, file: Path, group: int, name: str) -> pa.Array:
        known = file, file.stat().st_mtime_ns, group, name
        with self._lock:
            if known not in self._columns:
                self._columns[known] = _read(file, group, name)
            self._columns.move_to_end(known)
            while len(self._columns) > GROUPS:
                self._columns.popitem(last=False)
            return self._columns[known]


_GROUPS = _RowGroups()


def _read(file: Path, group: int, name: str) -> pa.Array:
    try:
        with pa.parquet.ParquetFile(file) as content:
            table = without_views(content.read_row_group(group, columns=[name]))
            column = table.column(0).combine_chunks()
    except (pa.ArrowException, IndexError) as error:
        raise OSError(f"{file} cannot be read: {error}") from error
    return column.field(0) if pa.types.is_struct(column.type) else column


def parquet_files(folder: Path) -> list[Path]:
    """A folder's Parquet files in the order of their names; without any raises SourceError."""
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise SourceError([f"{folder} is a folder without Parquet files: name a table"])
    return files


@dataclass(frozen=True)
class Footer:
    """What a Parquet file says of itself: its columns, and the rows of each of its row groups."""

    file: Path
    schema: pa.Schema
    rows: tuple[int, ...]


def footers(files: Sequence[Path]) -> list[Footer]:
    """The footer of each file.

    Raises
    ------
    SourceError
        With every file that cannot be read.
    """
    read: list[Footer] = []
    problems: list[str] = []
    for file in files:
        try:
            read.append(_footer(file))
        except OSError as error:
            problems.append(f"{file} cannot be read: {error.strerror or error}")
        except pa.ArrowException as error:
            problems.append(f"{file} cannot be read: {error}")
    if problems:
        raise SourceError(first_few(problems, "such files"))
    return read


def _footer(file: Path) -> Footer:
    check_regular(file)
    metadata = pa.parquet.read_metadata(file)
    groups = range(metadata.num_row_groups)
    rows = tuple(metadata.row_group(group).num_rows for group in groups)
    return Footer(file, metadata.schema.to_arrow_schema(), rows)


def check_alike(read: Sequence[Footer], asked: Collection[str]) -> None:
    """Whether all files have those columns of the first that are asked for, of the same types.

    Raises
    ------
    SourceError
        With every column that a file lacks, or has with another type.
    """
    first, *others = read
    problems: list[str] = []
    for other in others:
        problems += _unlike(first, other, asked)
    if problems:
        raise SourceError(first_few(problems, "such columns"))


def _unlike(first: Footer, other: Footer, asked: Collection[str]) -> Iterator[str]:
    """How the columns of a file that are asked for differ from those of the first file."""
    names, there = first.schema.names, other.schema.names
    for name in (name for name in names if name in asked and names.count(name) == 1):
        if there.count(name) != 1:
            number = "more than one" if name in there else "no"
            yield f"{other.file.name} has {number} column '{name}', {first.file.name} has one"
            continue
        type_there, type_first = other.schema.field(name).type, first.schema.field(name).type
        kinds = {plain_type(type_there), plain_type(type_first)}
        if len(kinds) > 1 and pa.null() not in kinds:
            yield (f"{other.file.name} column '{name}' is {type_there}, in {first.file.name} "
                   f"it is {type_first}: write both as one type")


@dataclass(frozen=True)
class ParquetTable:
    """What some columns of Parquet files hold.

    Parameters
    ----------
    names : all columns of the first file.
    table : the columns asked for; in place of encoded pictures the row that each stands in.
    rows : of each file.
    pictures : where these are, by the name of their column.
    """

    names: tuple[str, ...]
    table: pa.Table
    rows: tuple[int, ...]
    pictures: Mapping[str, PictureColumn]


def read_parquet(
    of_files: Sequence[Footer], asked: Collection[str], pictures: Collection[str]
) -> ParquetTable:
    """Columns of files that have them in common, one after the other.

    Parameters
    ----------
    of_files : the footers of the files.
    asked : names of the columns; those that the first file lacks are left out.
    pictures : which of them hold pictures, and stay on disk where these are encoded bytes.
    """
    files, schema, ends = [footer.file for footer in of_files], of_files[0].schema, _ends(of_files)
    names = [name for name in schema.names if name in asked]
    held_back = {
        name: column
        for name in names
        if name in pictures and (column := _bytes_column(schema.field(name)))
    }
    plain = [name for name in names if name not in held_back]
    table = pa.concat_tables(
        [without_views(pa.parquet.read_table(file, columns=plain)) for file in files],
        promote_options="default",  # a file's column without values has no type
    )
    columns = {name: PictureColumn(tuple(files), path, ends) for name, path in held_back.items()}
    for name, held in columns.items():
        rows_of_pictures = _rows_of_pictures(held)
        if pa.types.is_struct(schema.field(name).type):
            paths = pa.concat_tables(
                [
                    without_views(pa.parquet.read_table(file, columns=[f"{name}.path"]))
                    for file in files
                ]
            )
            rows_of_pictures = pa.StructArray.from_arrays(
                [rows_of_pictures, paths.flatten().column(0).combine_chunks()], ["row", "path"]
            )
        table = table.append_column(name, rows_of_pictures)
    last = [of_file[-1] for of_file in ends]
    rows = tuple(end - start for start, end in zip([0, *last], last, strict=False))
    return ParquetTable(tuple(schema.names), table.select(names), rows, columns)


def _ends(of_files: Sequence[Footer]) -> tuple[tuple[int, ...], ...]:
    ends, start = [], 0
    for footer in of_files:
        of_file = tuple(accumulate(footer.rows, initial=start))[1:] or (start,)
        ends.append(of_file)
        start = of_file[-1]
    return tuple(ends)


def _bytes_column(field: pa.Field) -> str | None:
    """Which part of a column holds encoded pictures; None where it holds paths, or neither."""
    kind = plain_type(field.type)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return str(field.name)
    if pa.types.is_struct(kind) and {part.name for part in kind} == {"bytes", "path"}:
        return f"{field.name}.bytes"
    return None


def _rows_of_pictures(column: PictureColumn) -> pa.Array:
    """The row of each picture, counted over all files; null where there is none."""
    parts: list[Any] = []
    start = 0
    for file, ends in zip(column.files, column.ends, strict=True):
        for group, end in enumerate(ends):
            if end == start:  # a file without rows
                continue
            held = _read(file, group, column.name)
            rows = pa.array(range(start, start + len(held)), pa.int64())
            there = pa.compute.greater(pa.compute.fill_null(pa.compute.binary_length(held), 0), 0)
            parts.append(pa.compute.if_else(there, rows, pa.scalar(None, pa.int64())))
            start += len(held)
    return pa.concat_arrays(parts) if parts else pa.array([], pa.int64())
