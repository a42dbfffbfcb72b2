"""The texts and pictures that columns hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.data.reading.numbers import number_texts
from pipeline.data.samples import BytesPicture, FilePicture, Picture, SourceError
from pipeline.data.sources.columns import Columns
from pipeline.data.sources.parquet import ParquetPicture, PictureColumn


def texts(columns: Columns, name: str) -> list[str | None]:
    """Read column `name` as text without white space around it; None where nothing is left.

    Numbers are as `pipeline.data.reading.numbers` writes them.

    Raises
    ------
    SourceError
        Where the column's type has no plain text (lists, structs, bytes that are no UTF-8).
    """
    column = columns.table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        return number_texts(column.to_numpy())
    if pa.types.is_decimal(column.type):
        return number_texts(column.to_pylist())
    try:
        values = column.cast(pa.large_string()).to_pylist()
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
        paths = _from_paths(parts["path"], columns.folder)
        if name in columns.pictures:
            held = _from_rows(parts["row"], columns.pictures[name], locations)
        else:
            held = _from_bytes(parts["bytes"], locations)
        return [picture or path for picture, path in zip(held, paths, strict=True)]
    if name in columns.pictures:
        return _from_rows(column, columns.pictures[name], locations)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return _from_paths(column, columns.folder)
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


def _from_paths(column: pa.ChunkedArray, folder: Path) -> list[Picture | None]:
    return [FilePicture(folder / path.strip()) if path and path.strip() else None
            for path in column.to_pylist()]
