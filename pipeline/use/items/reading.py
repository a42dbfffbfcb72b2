"""Items to predict, row by row: from tables, folders of pictures and standard input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.data.reading.class_folders import look_below
from pipeline.data.reading.regular_files import check_regular, is_outside
from pipeline.data.samples import FilePicture, Picture
from pipeline.data.sources.column_values import picture_at
from pipeline.use.items.columns import Columns, plain
from pipeline.use.items.item import Item
from pipeline.use.items.tables import table_rows
from pipeline.use.problem import BundleError
from reports.wording import short

PROBLEMS = 12  # of a kind that are named


def read_items(source: str, columns: Columns) -> Iterator[Item]:
    """The items of a CSV, TSV, JSON Lines or Parquet file, a folder of pictures, or "-" (CSV).

    They are read when they are asked for; pictures that are not there are said in `Item.problem`.

    Raises
    ------
    BundleError
        Where there is no such file, it cannot be read, or lacks a column.
    """
    path = Path(source)
    if source != "-" and not (source and path.exists()):
        raise BundleError(f"{source or 'a file without a name'} does not exist")
    if source != "-" and path.is_dir():
        yield from _of_folder(path)
        return
    if source != "-":
        _check_regular(path)
    folder = Path() if source == "-" else path.parent
    rows = table_rows(source, columns)
    first = next(rows, None)
    if first is None:
        return
    needed = [name for name in (columns.image, *columns.text) if name]
    columns.check(list(first), needed, "standard input" if source == "-" else source)
    for number, row in enumerate(_again(first, rows), 1):
        yield _item(row, number, columns, folder)


def _check_regular(file: Path) -> None:
    try:
        check_regular(file)
    except OSError as error:
        raise BundleError(f"{file} cannot be read: {error.strerror or error}") from error


def _again(first: Mapping[str, Any], rest: Iterator[Mapping[str, Any]]) -> Iterator[Any]:
    yield first
    yield from rest


def _of_folder(folder: Path) -> Iterator[Item]:
    below = look_below(folder, 0)
    if below.problems or not below.pictures:
        reasons = below.problems or [f"{folder} holds no pictures (files that Pillow reads)"]
        raise BundleError("\n".join(reasons[:PROBLEMS]))
    for name in below.pictures:
        picture, problem = _read(FilePicture(folder / name), name)
        yield Item(name, picture, problem=problem)


def _item(row: Mapping[str, Any], number: int, columns: Columns, folder: Path) -> Item:
    problems: list[str] = []
    picture = None
    if columns.image is not None:
        picture, problem = _picture(row.get(columns.image), folder, columns.allow_outside)
        problems += [problem] if problem else []
    lines = [plain(row.get(name)) for name in columns.text]
    return Item(
        plain(row.get(columns.id or "")) or str(number),
        picture,
        "\n".join(filter(None, lines)) or None,
        plain(row.get(columns.label or "")),
        "; ".join(problems),
        columns.row(row),
    )


def _picture(value: Any, folder: Path, allow_outside: bool) -> tuple[bytes | None, str]:
    """The bytes of a picture, or why they cannot be had."""
    if isinstance(value, dict):  # as Hugging Face's files have it
        value = value.get("bytes") or value.get("path")
    if value is None or (isinstance(value, str) and not value.strip()):
        return None, ""
    if isinstance(value, bytes):
        return value, ""
    path = str(value).strip()
    picture = picture_at(folder, path)
    if not isinstance(picture, FilePicture):
        return _read(picture, picture.name)
    if not allow_outside and is_outside(path, folder):
        return None, (
            f"picture {short(path)}: outside {folder}; --allow-outside allows files anywhere"
        )
    return _read(picture, path)


def _read(picture: Picture, name: str) -> tuple[bytes | None, str]:
    try:
        return picture.read(), ""
    except OSError as error:
        return None, f"picture {short(name, 200)}: {error.strerror or error}"
