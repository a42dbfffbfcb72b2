"""Joining a second table to a first one by the columns both have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, NotRequired, TypeAlias

from pydantic import ConfigDict
from typing_extensions import TypedDict

from pipeline.data.reading import arrow as pa
from pipeline.data.reading.names import normal
from pipeline.data.reading.quotes import Quoting
from pipeline.data.rows import Rows
from pipeline.data.samples import SourceError
from pipeline.data.sources.column_values import texts
from pipeline.data.sources.columns import Columns, WrongColumn, wrong_columns
from pipeline.data.sources.problems import first_few
from pipeline.data.sources.rows import Names
from reports.wording import short

Key: TypeAlias = tuple[str | None, ...]
ON = "join on"  # what messages call the key of the key's columns
EXAMPLES = 3  # keys without a match that are named


class Join(TypedDict):
    """A second table that adds its columns to the rows that agree with it in the columns `on`.

    Parameters
    ----------
    path : the second table, relative to the grid file.
    on : column, or columns, that both tables have.
    quoting : of its values, where it is no Parquet: see Table.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    path: str
    on: Names
    quoting: NotRequired[Quoting]  # see Table


def joined(
    columns: Columns, other: Columns, on: list[str], asked: list[tuple[str, str]]
) -> Columns:
    """`columns` with the asked columns of `other`, null where no row of `other` has the same key.

    Parameters
    ----------
    on : the key's columns, which both tables have.
    asked : pairs of grid key and the column it names.

    Raises
    ------
    SourceError
        Missing columns, columns that both tables have, keys that stand twice in `other` or match
        nothing.
    """
    problems = wrong_columns_of_both(
        NamesOf(columns.file, columns.names), NamesOf(other.file, other.names), on, asked
    )
    if problems:
        raise SourceError(list(map(str, problems)))
    rows = rows_by_key(other, on)
    keys_here = list(_keys(columns, on))
    matches = [rows.get(_normal(key)) for key in keys_here]
    if not any(match is not None for match in matches):
        raise SourceError([f"join: no row of {columns.file.name} agrees with any row of "
                           f"{other.file.name} in {', '.join(on)}"])
    added = [name for name in other.table.column_names if name not in on]
    table, taken = columns.table, other.table.take(pa.array(matches, pa.int64()))
    for name in added:
        table = table.append_column(name, taken[name])
    return replace(
        columns,
        names=(*columns.names, *added),
        table=table,
        pictures={**columns.pictures, **other.pictures},
        unjoined={row: keys_here[row] for row, match in enumerate(matches) if match is None},
    )


class NamesOf(NamedTuple):
    """A table and the names of its columns."""

    file: Path
    names: Sequence[str]


def wrong_columns_of_both(
    columns: NamesOf, other: NamesOf, on: list[str], asked: list[tuple[str, str]]
) -> list[WrongColumn]:
    """Columns that cannot be taken from a table and one that is joined; parameters as `joined`."""
    keys = [(ON, name) for name in on]
    wrong_keys = [*wrong_columns(keys, columns.names, columns.file),
                  *wrong_columns(keys, other.names, other.file)]
    # A mistyped key stands in both tables without being one, so that nothing can be said of the
    # others.
    both = set() if wrong_keys else (set(columns.names) & set(other.names)) - set(on)
    return [
        *wrong_keys,
        *wrong_columns(asked, {*columns.names, *other.names}, columns.file),
        *(
            WrongColumn(key, name, f"column '{name}' stands in {columns.file.name} and in "
                        f"{other.file.name}; rename one")
            for key, name in asked
            if name in both
        ),
    ]


def unjoined_notes(columns: Columns, rows: Rows, join: str) -> list[str]:
    """Say how many of some rows agree with no row of the joined table, with examples."""
    keys = [columns.unjoined[row] for row in rows.tolist() if row in columns.unjoined]
    if not keys:
        return []
    examples = list(dict.fromkeys(", ".join(part or "nothing" for part in key) for key in keys))
    return [
        f"join: {len(keys)} of {len(rows)} rows of {columns.file.name} agree with no row of "
        f"{join}, so that they lack its columns, such as those of "
        f"{', '.join(repr(short(key)) for key in examples[:EXAMPLES])}"
    ]


def _keys(columns: Columns, on: Sequence[str]) -> Iterator[Key]:
    return zip(*(texts(columns, name) for name in on), strict=True)


def _normal(key: Key) -> Key:
    return tuple(part and normal(part) for part in key)


def rows_by_key(columns: Columns, on: Sequence[str]) -> dict[Key, int]:
    """Row of each key in normal form; keys with an empty part belong to no row.

    Raises
    ------
    SourceError
        For each key that stands in several rows.
    """
    rows: dict[Key, int] = {}
    problems = []
    for row, key in enumerate(_keys(columns, on)):
        if None in key:
            continue
        first = rows.setdefault(_normal(key), row)
        if first != row:
            problems.append(f"{columns.location(row)}: {', '.join(map(str, key))} stands in row "
                            f"{first + 1} too, but {', '.join(on)} must tell the rows apart")
    if problems:
        raise SourceError(first_few(problems, "such rows"))
    return rows
