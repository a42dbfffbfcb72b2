"""The texts and pictures that columns hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.data.reading import arrow as pa
from pipeline.data.reading.numbers import number_texts
from pipeline.data.reading.regular_files import is_outside
from pipeline.data.samples import (
    BytesPicture,
    FilePicture,
    Picture,
    SourceError,
    UnusablePicture,
)
from pipeline.data.sources.columns import Columns
from pipeline.data.sources.parquet import ParquetPicture, PictureColumn
from reports.wording import count, short

LONGEST_PATH = 4096  # characters; systems allow no more
SHORTEST_BASE64 = 64  # characters; no picture file is shorter
SHOWN = 20  # characters of base64 that a message shows
BASE64_SIGNS = re.compile(r"[A-Za-z0-9+/=\s]*")
EXTENDED = ("arrow.uuid", "arrow.bool8")  # types of Arrow whose values are no texts or numbers
# The decimals of seconds: those that count, the zeros behind them, and the time zone.
ZEROS_OF_SECONDS = r"(?:\.|(\.\d*[1-9]))0+(Z|[+-][\d:]+)?$"
# How files of PNG, JPEG, GIF, WebP, TIFF and BMP begin in base64.
BASE64 = re.compile(
    r"data:image/|iVBORw0KGgo|/9j/|R0lGOD|UklGR|SUkqA|TU0AK|Qk[0-9A-Za-z+/]{5}AAA"
)


def texts(columns: Columns, name: str) -> list[str | None]:
    """Read column `name` as text without white space around it; None where nothing is left.

    Numbers are as `pipeline.data.reading.numbers` writes them, times without zeros at the end.

    Raises
    ------
    SourceError
        Where the column's type has no plain text (lists, structs, bytes that are no UTF-8, and
        spans of time, whose number says nothing without its unit).
    """
    column = columns.table[name]
    if isinstance(column.type, pa.BaseExtensionType):
        if column.type.extension_name in EXTENDED:
            return [None if value is None else str(value).lower() for value in column.to_pylist()]
        chunks = [chunk.storage for chunk in column.chunks]
        column = pa.chunked_array(chunks, column.type.storage_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        return number_texts(column.to_numpy())
    if pa.types.is_decimal(column.type):
        return number_texts(column.to_pylist())
    try:
        if pa.types.is_duration(column.type) or pa.types.is_interval(column.type):
            raise pa.ArrowNotImplementedError
        values = column.cast(pa.large_string())
        if pa.types.is_temporal(column.type):
            values = pa.compute.replace_substring_regex(values, ZEROS_OF_SECONDS, r"\1\2")
        values = values.to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SourceError([f"{columns.file.name} column '{name}' must hold text, numbers, dates or "
                           f"true and false, not {column.type}"]) from error
    return [text.strip() or None if text else None for text in values]


def pictures(columns: Columns, name: str, locations: Sequence[str]) -> list[Picture | None]:
    """Collect the pictures of a column: encoded bytes, paths, or both in the form {bytes, path}.

    Paths are relative to the file's folder. Bytes stay where they are: on disk in Parquet files,
    else in the table, into which each picture is a view.

    Raises
    ------
    SourceError
        Where the column holds something else.
    """
    column = columns.table[name]
    kind = column.type
    if pa.types.is_struct(kind) and "path" in {field.name for field in kind}:
        parts = dict(zip((field.name for field in kind), column.flatten(), strict=True))
        paths = _from_paths(columns, name, parts["path"], locations)
        if name in columns.pictures:
            held = _from_rows(parts["row"], columns.pictures[name], locations)
        else:
            held = _from_bytes(parts["bytes"], locations)
        return [picture or path for picture, path in zip(held, paths, strict=True)]
    if name in columns.pictures:
        return _from_rows(column, columns.pictures[name], locations)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return _from_paths(columns, name, column, locations)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _from_bytes(column, locations)
    raise SourceError([f"{columns.file.name} column '{name}' must hold picture paths or encoded "
                       f"pictures' bytes, not {kind}"])


def _from_bytes(column: pa.ChunkedArray, locations: Sequence[str]) -> list[Picture | None]:
    buffers = (value.as_buffer() for value in column)
    return [BytesPicture(location, memoryview(buffer)) if buffer else None
            for location, buffer in zip(locations, buffers, strict=True)]


def _from_rows(
    column: pa.ChunkedArray, held: PictureColumn, locations: Sequence[str]
) -> list[Picture | None]:
    return [
        None if row is None else ParquetPicture(location, held, row)
        for location, row in zip(locations, column.to_pylist(), strict=True)
    ]


def _from_paths(
    columns: Columns, name: str, column: pa.ChunkedArray, locations: Sequence[str]
) -> list[Picture | None]:
    paths = [path and path.strip() for path in column.to_pylist()]
    if not columns.allow_outside:
        _check_inside(columns, name, paths, locations)
    return [picture_at(columns.folder, path) if path else None for path in paths]


def _check_inside(
    columns: Columns, name: str, paths: Sequence[str | None], locations: Sequence[str]
) -> None:
    outside = [
        row
        for row, path in enumerate(paths)
        if path and _may_be_path(path) and is_outside(path, columns.folder)
    ]
    if outside:
        first = outside[0]
        raise SourceError([
            f"{columns.file.name} column '{name}': {count(len(outside), 'picture')} outside "
            f"{columns.folder}, the first in {locations[first]} ({short(str(paths[first]))}); say "
            "`allow_outside: true` under data: where the table may name files anywhere"
        ])


def picture_at(folder: Path, path: str) -> Picture:
    """The picture at a path, which counts from a folder; one that is unusable where it is none."""
    if is_base64(path):
        reason = "this is base64 text, not a path: write pictures to files, or as bytes to Parquet"
    elif len(path) > LONGEST_PATH:
        reason = "no path is as long"
    else:
        return FilePicture(folder / path, path)
    return UnusablePicture(f"{path[:SHOWN]}... of {len(path):,} characters", reason)


def _may_be_path(text: str) -> bool:
    """Whether a text can be a path: base64 may begin with a slash, too."""
    return len(text) <= LONGEST_PATH and not is_base64(text)


def is_base64(text: str) -> bool:
    """Whether a text is a picture's bytes as base64, with or without `data:` before it."""
    if len(text) > LONGEST_PATH and BASE64_SIGNS.fullmatch(text):
        return True
    return len(text) > SHORTEST_BASE64 and BASE64.match(text) is not None
