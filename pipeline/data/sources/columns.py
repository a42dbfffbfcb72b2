"""Named columns from CSV, TSV, JSON Lines and Parquet files."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from pipeline.data.reading import arrow as pa
from pipeline.data.reading.delimited import DELIMITERS, Delimited
from pipeline.data.reading.header import delimited_names, json_names
from pipeline.data.reading.json_rows import json_object
from pipeline.data.reading.quotes import Quoting
from pipeline.data.reading.utf8 import utf8_file
from pipeline.data.samples import OF_SAMPLES, SourceError
from pipeline.data.sources.parquet import (
    PictureColumn,
    check_alike,
    footers,
    parquet_files,
    read_parquet,
)
from pipeline.data.sources.problems import first_few, hint

JSON_LINES = (".jsonl", ".ndjson")
_T = TypeVar("_T")
ENDINGS = (*DELIMITERS, *JSON_LINES, ".parquet")


class Choice(Protocol):
    """Chooses columns of a file that is being read."""

    def __call__(self, names: Sequence[str], nested: Collection[str]) -> Collection[str]:
        """Which of the columns are read.

        Parameters
        ----------
        names : of all columns, those that stand twice included.
        nested : those of JSON Lines that hold lists or objects, which have no plain text.
        """


Asked = Collection[str] | Choice


@dataclass(frozen=True)
class Columns:
    """Columns of one file.

    Parameters
    ----------
    file : where they come from.
    names : every column of the file, in its order.
    table : those that were asked for and exist, m rows.
    parts : where `file` is a folder of files, each of them and how many rows it has.
    pictures : columns of encoded pictures, which stay on disk: `table` has the row of each.
    allow_outside : whether paths of pictures may lead out of the folder.
    unjoined : rows that agree with none of a joined table, each with its key.
    """

    file: Path
    names: tuple[str, ...]
    table: pa.Table
    parts: tuple[tuple[Path, int], ...] = ()
    pictures: Mapping[str, PictureColumn] = field(default_factory=dict)
    allow_outside: bool = False
    unjoined: Mapping[int, tuple[str | None, ...]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where paths in it count from."""
        return self.file if self.parts else self.file.parent

    def location(self, row: int) -> str:
        """Name row `row` (counted from 0) for a message, where rows count from 1."""
        for file, rows in self.parts:
            if row < rows:
                return f"{file.name} row {row + 1}"
            row -= rows
        return f"{self.file.name} row {row + 1}"


def read_columns(
    file: Path,
    asked: Asked,
    pictures: Collection[str] = (),
    quoting: Quoting | None = None,
) -> Columns:
    """Read those of the `asked` columns that the file has; its ending says what kind of file it is.

    A folder's Parquet files are read one after the other.

    CSV, TSV and JSON Lines (UTF-8, with or without a byte order mark) come as text throughout, so
    that "007" stays "007"; Parquet columns keep their types. In CSV files commas, semicolons or
    tabs stand between values; see `pipeline.data.reading.delimited.delimiter_of`.

    Parameters
    ----------
    asked : names, or what chooses among those that there are: the file is read once all the same.
    pictures : which of the columns hold pictures: in Parquet files, encoded ones stay on disk.
    quoting : how a CSV or TSV file marks values with delimiters or line breaks: with "double"
        quotes around them, or with "none". None: with quotes, but where they may be letters that
        swallow rows, the file is refused.

    Raises
    ------
    SourceError
        Where the file is of another kind or damaged, with every bad row.
    """
    with _refusing(file):
        kind = _kind(file)
        if kind == "delimited":
            return _read_delimited(file, quoting, asked)
        if kind == "lines":
            return _read_json_lines(file, asked)
        files = parquet_files(file) if kind == "folder" else [file]
        return _read_parquet(file, files, asked, pictures)


def names_in(file: Path, asked: Collection[str], quoting: Quoting | None = None) -> Sequence[str]:
    """The names of the columns of a file, as `read_columns` has them, without reading its rows.

    Of JSON Lines, where each row may have columns of its own, those up to the row by which all that
    are asked for are there.

    Raises
    ------
    SourceError
        Where the file is of another kind, or does not say.
    """
    with _refusing(file):
        kind = _kind(file)
        if kind == "delimited":
            return _named(file, delimited_names(file, quoting))
        if kind == "lines":
            return json_names(file, asked)
        of_files = footers(parquet_files(file) if kind == "folder" else [file])
        check_alike(of_files, asked)
        names: list[str] = of_files[0].schema.names
        return names


@contextmanager
def _refusing(file: Path) -> Iterator[None]:
    """Say of a file that cannot be read that it cannot."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise SourceError([f"{file} cannot be read: {reason}"]) from error
    except (pa.ArrowException, csv.Error) as error:
        raise SourceError([f"{file} cannot be read: {error}"]) from error


def _kind(file: Path) -> Literal["delimited", "lines", "folder", "parquet"]:
    """What kind of table it is. Raises SourceError where its ending is none of a table."""
    ending = file.suffix.lower()
    if ending in DELIMITERS:
        return "delimited"
    if ending in JSON_LINES:
        return "lines"
    if file.is_dir():
        return "folder"
    if ending == ".parquet":
        return "parquet"
    raise SourceError([f"{file}: a table's ending says its kind, and '{ending}' is none of the "
                       f"known ones{hint(ending, ENDINGS, 'known')}"])


@dataclass(frozen=True)
class WrongColumn:
    """A column that a grid names under a key and that cannot be taken, and why."""

    key: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


def wrong_columns(
    asked: Sequence[tuple[str, str]], known: Collection[str], file: Path
) -> list[WrongColumn]:
    """Each column that does not exist, of those asked for (grid key, name).

    Rows may be grouped by their texts or pictures without a column of that name.
    """
    needed = [(key, name) for key, name in asked if key != "group" or name not in OF_SAMPLES]
    return [
        WrongColumn(key, name, f"{file.name} has no column '{name}'{hint(name, known, 'columns')}")
        for key, name in needed
        if name not in known
    ]


def missing_columns(
    asked: Sequence[tuple[str, str]], known: Collection[str], file: Path
) -> list[str]:
    """A problem for each column that does not exist; see `wrong_columns`."""
    return list(map(str, wrong_columns(asked, known, file)))


def once(file: str, names: Sequence[str], asked: Collection[str]) -> list[str]:
    """List the columns asked for that the file has, each of which may stand in it only once."""
    twice = sorted({name for name in asked if names.count(name) > 1})
    if twice:
        raise SourceError([several(file, name) for name in twice])
    return [name for name in names if name in asked]


def several(file: str, name: str) -> str:
    """What is said of a file that has several columns of a name that is asked for."""
    return f"{file} has more than one column '{name}'; rename one"


def _named(file: Path, names: list[str]) -> list[str]:
    """The names that stand in the first line of a file; SourceError where none do."""
    if not names:
        raise SourceError([f"{file} is empty; its first line must name the columns"])
    return names


def _chosen(asked: Asked, names: Sequence[str]) -> Collection[str]:
    return asked(names, ()) if callable(asked) else asked


def _read_delimited(file: Path, quoting: Quoting | None, asked: Asked) -> Columns:
    content = utf8_file(file)
    form = Delimited.of(content, file.name, file.suffix.lower(), quoting)
    names = _named(file, form.header(content))
    columns = once(file.name, names, _chosen(asked, names))
    if not columns:
        return Columns(file, tuple(names), pa.table({}))
    wrong: list[str] = []

    def refuse(row: Any) -> str:
        wrong.append(f"{file.name} row {row.number - 1}: {row.actual_columns} fields where the "
                     f"header has {row.expected_columns}; put fields with '{form.delimiter}' or "
                     "line breaks in quotes")
        return "skip"

    table = pa.csv.read_csv(
        pa.BufferReader(content),
        # One block for the whole file: a row longer than a block would be an error.
        pa.csv.ReadOptions(use_threads=False, block_size=min(len(content) + 1, 2**31 - 1)),
        form.options(refuse),
        pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()), include_columns=columns
        ),
    )
    if wrong:
        raise SourceError(first_few(wrong, "such rows"))
    return Columns(file, tuple(names), table)


def _read_json_lines(file: Path, asked: Asked) -> Columns:
    lines = (line for line in utf8_file(file).split(b"\n") if line.strip())
    if callable(asked):
        read = _each_row(file, lines, json_object)
        chosen = asked(_names(read), set[str]().union(*map(_nested, read)))
        rows = _each_row(file, read, lambda row: _as_texts(row, chosen))
    else:
        chosen = asked
        rows = _each_row(file, lines, lambda line: _as_texts(json_object(line), chosen))
    names = _names(rows)
    values = {name: [row.get(name) for row in rows] for name in names if name in chosen}
    arrays = {name: pa.array(column, pa.large_string()) for name, column in values.items()}
    return Columns(file, names, pa.table(arrays))


def _each_row(
    file: Path, rows: Iterable[_T], work: Callable[[_T], dict[str, Any]]
) -> list[dict[str, Any]]:
    """What comes of each row. Raises SourceError with every row of which nothing does."""
    results: list[dict[str, Any]] = []
    problems: list[str] = []
    for number, row in enumerate(rows, 1):
        try:
            results.append(work(row))
        except ValueError as error:
            problems.append(f"{file.name} row {number}: {error}")
    if problems:
        raise SourceError(first_few(problems, "such rows"))
    return results


def _names(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(itertools.chain.from_iterable(rows)))


def _nested(row: Mapping[str, Any]) -> set[str]:
    return {name for name, value in row.items() if isinstance(value, list | dict)}


def _as_texts(row: Mapping[str, Any], names: Collection[str]) -> dict[str, str | None]:
    """The values asked for as text; of others only the names are kept."""
    return {
        name: json_text(name, value) if name in names else None for name, value in row.items()
    }


def json_text(name: str, value: object) -> str | None:
    """A value of a line as text. Raises ValueError where it is none, nor a number or true."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is not None and not isinstance(value, str):
        raise ValueError(
            f"'{name}' must be text, a number, true, false or null, not {type(value).__name__}"
        )
    if value is not None and any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError(f"'{name}' holds half of a surrogate pair, which is no text")
    return value


def _read_parquet(
    file: Path, files: Sequence[Path], asked: Asked, pictures: Collection[str]
) -> Columns:
    of_files = footers(files)
    there = of_files[0].schema.names
    chosen = _chosen(asked, there)
    check_alike(of_files, chosen)
    held = read_parquet(of_files, once(file.name, there, chosen), pictures)
    parts = tuple(zip(files, held.rows, strict=True)) if file.is_dir() else ()
    return Columns(file, held.names, held.table, parts, held.pictures)
