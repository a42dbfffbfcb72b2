"""Items to predict, row by row: from tables, folders of pictures and standard input."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.machine.nearest import nearest
from features.machine.threads import ordered
from features.pictures.decoding import UnreadablePicture, check
from pipeline.data.reading.arrow_types import without_views
from pipeline.data.reading.class_folders import look_below
from pipeline.data.reading.numbers import number_text
from pipeline.data.reading.quotes import Quotes
from pipeline.data.reading.regular_files import check_regular, is_outside
from pipeline.data.samples import FilePicture, Picture, SourceError
from pipeline.data.sources.column_values import picture_at, texts
from pipeline.data.sources.columns import Columns as TableColumns
from pipeline.use.problem import BundleError
from reports.wording import short

PROBLEMS = 12  # of a kind that are named
AT_ONCE = 512  # rows of a Parquet file that are read together


@dataclass(frozen=True)
class Item:
    """A row to predict.

    Parameters
    ----------
    name : its id, or else its number, from 1.
    picture, text : None where it has none that can be used.
    label : the class, where the table has one.
    problem : why a picture or text that it names cannot be used; empty where nothing is wrong.
    row : values of all other columns, where they are asked for.
    """

    name: str
    picture: bytes | None = None
    text: str | None = None
    label: str | None = None
    problem: str = ""
    row: Mapping[str, str | None] = field(default_factory=dict)

    def without_picture(self, reason: object) -> Item:
        """The item, whose picture cannot be used."""
        problem = "; ".join(filter(None, (self.problem, f"picture: {reason}")))
        return replace(self, picture=None, problem=problem)


@dataclass(frozen=True)
class Columns:
    """Which columns hold what; None for what is not looked at.

    Parameters
    ----------
    text : one, or several whose texts are joined line by line.
    others : whether the values of all other columns are asked for, too.
    allow_outside : whether paths of pictures may lead out of the table's folder.
    unknown : options by which columns are to be named, where nothing tells any that the model
        looks at.
    """

    image: str | None = None
    text: tuple[str, ...] = ()
    label: str | None = None
    id: str | None = None
    others: bool = False
    allow_outside: bool = False
    unknown: tuple[str, ...] = ()

    def row(self, values: Mapping[str, Any]) -> dict[str, str | None]:
        """Values of the other columns as text; None for what is neither text nor number."""
        if not self.others:
            return {}
        used = {self.image, *self.text}
        return {
            name: _plain(value) if isinstance(value, str | int | float) else None
            for name, value in values.items()
            if name not in used
        }

    def check(self, names: Sequence[str], needed: Sequence[str], file: str) -> None:
        """Raise BundleError where the table lacks columns that the model needs, or none is told."""
        if self.unknown:
            raise BundleError(
                f"{file}: which column holds what is not known, for the model's own rows came from "
                f"no table: say {' and '.join(self.unknown)} (columns: {', '.join(names)})"
            )
        missing = [name for name in needed if name not in names]
        if missing:
            raise BundleError("\n".join(
                f"{file} has no column '{name}'; {nearest(name, names)}; name another with --image "
                "or --text" for name in missing
            ))


def read_items(source: str, columns: Columns) -> Iterator[Item]:
    """The items of a CSV, TSV, JSON Lines or Parquet file, a folder of pictures, or "-" (CSV).

    They are read when they are asked for; pictures that are not there are said in `Item.problem`.

    Raises
    ------
    BundleError
        Where there is no such file, it cannot be read, or lacks a column.
    """
    path = Path(source)
    if source != "-" and not path.exists():
        raise BundleError(f"{source} does not exist")
    if source != "-" and path.is_dir():
        yield from _of_folder(path)
        return
    if source != "-":
        _check_regular(path)
    folder = Path() if source == "-" else path.parent
    rows = _rows(source, columns)
    first = next(rows, None)
    if first is None:
        return
    needed = [name for name in (columns.image, *columns.text) if name]
    columns.check(list(first), needed, source)
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


def _rows(source: str, columns: Columns) -> Iterator[Mapping[str, Any]]:
    ending = Path(source).suffix.lower()
    try:
        if source == "-":
            yield from _delimited(sys.stdin, ",", source)
        elif ending in (".csv", ".tsv"):
            delimiter = "\t" if ending == ".tsv" else ","
            _check_quotes(Path(source), delimiter)
            with Path(source).open(encoding="utf-8-sig", newline="") as file:
                yield from _delimited(file, delimiter, source)
        elif ending in (".jsonl", ".ndjson"):
            with Path(source).open(encoding="utf-8-sig") as file:
                yield from (
                    json.loads(line, parse_int=number_text, parse_float=number_text)
                    for line in file
                    if line.strip()
                )
        elif ending == ".parquet":
            yield from _of_parquet(Path(source), columns)
        else:
            raise BundleError(
                f"{source}: a table's ending says its kind: .csv, .tsv, .jsonl or .parquet"
            )
    except SourceError as error:
        raise BundleError(str(error)) from error
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise BundleError(f"{source} cannot be read: {error}") from error


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


def _check_quotes(file: Path, delimiter: str) -> None:
    """Raise BundleError where quotes are broken, or swallow rows."""
    quotes = Quotes(file.read_bytes(), delimiter)
    problems = [
        f"{file.name} {reason}"
        for reason in islice(chain(quotes.broken(), quotes.swallowing()), PROBLEMS)
    ]
    if problems:
        raise BundleError("\n".join([*problems, 'Write quotes inside quotes twice ("").']))


def _delimited(lines: Iterable[str], delimiter: str, source: str) -> Iterator[Mapping[str, Any]]:
    """Rows of CSV, all of whose values have a name."""
    reader = csv.DictReader(lines, delimiter=delimiter, strict=True)
    try:
        for number, row in enumerate(reader, 1):
            if None in row or None in row.values():
                names = reader.fieldnames or ()
                raise BundleError(
                    f"{source} row {number} (line {reader.line_num}): "
                    f"{'more' if None in row else 'fewer'} fields than the {len(names)} of the "
                    f"header; put fields with '{delimiter}' or line breaks in quotes"
                )
            yield row
    except csv.Error as error:
        raise BundleError(f"{source} line {reader.line_num + 1} cannot be read: {error}") from error


def _item(row: Mapping[str, Any], number: int, columns: Columns, folder: Path) -> Item:
    problems: list[str] = []
    picture = None
    if columns.image is not None:
        picture, problem = _picture(row.get(columns.image), folder, columns.allow_outside)
        problems += [problem] if problem else []
    lines = [_plain(row.get(name)) for name in columns.text]
    return Item(
        _plain(row.get(columns.id or "")) or str(number),
        picture,
        "\n".join(filter(None, lines)) or None,
        _plain(row.get(columns.label or "")),
        "; ".join(problems),
        columns.row(row),
    )


def _plain(value: Any) -> str | None:
    """A value as text; None where nothing is left."""
    if isinstance(value, float):
        return number_text(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return None if value is None else text.strip() or None


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


def without_unreadable(items: Sequence[Item]) -> list[Item]:
    """The items with pictures that decode in full; others have none, and say so."""
    return list(ordered(_checked, items))


def _checked(item: Item) -> Item:
    if item.picture is None:
        return item
    try:
        check(item.picture)
    except UnreadablePicture as error:
        return item.without_picture(error)
    return item
