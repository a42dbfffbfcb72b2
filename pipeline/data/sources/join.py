"""Joining a second table to a first one by the columns both have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired

import pyarrow as pa
from pydantic import ConfigDict
from typing_extensions import TypedDict

from pipeline.data.reading.quotes import Quoting
from pipeline.data.samples import SourceError
from pipeline.data.sources.column_values import texts
from pipeline.data.sources.columns import Columns, missing_columns
from pipeline.data.sources.problems import first_few
from pipeline.data.sources.rows import Names


class Join(TypedDict):
    """A second table that adds its columns to the rows that agree with it in the columns `on`."""

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
    keys = [("join on", name) for name in on]
    wrong_keys = [*missing_columns(keys, columns.names, columns.file),
                  *missing_columns(keys, other.names, other.file)]
    # A mistyped key stands in both tables without being one, so that nothing can be said of the
    # others.
    both = set() if wrong_keys else (set(columns.names) & set(other.names)) - set(on)
    problems = [
        *wrong_keys,
        *missing_columns(asked, {*columns.names, *other.names}, columns.file),
        *(
            f"{key}: column '{name}' stands in {columns.file.name} and in {other.file.name}; "
            "rename one"
            for key, name in asked
            if name in both
        ),
    ]
    if problems:
        raise SourceError(problems)
    rows = rows_by_key(other, on)
    matches = [rows.get(key) for key in zip(*(texts(columns, name) for name in on), strict=True)]
    if not any(match is not None for match in matches):
        raise SourceError([f"join: no row of {columns.file.name} agrees with any row of "
                           f"{other.file.name} in {', '.join(on)}"])
    added = [name for name in other.table.column_names if name not in on]
    table, taken = columns.table, other.table.take(pa.array(matches, pa.int64()))
    for name in added:
        table = table.append_column(name, taken[name])
    pictures = {**columns.pictures, **other.pictures}
    return Columns(columns.file, (*columns.names, *added), table, columns.parts, pictures)


def rows_by_key(columns: Columns, on: Sequence[str]) -> dict[tuple[str | None, ...], int]:
    """Row of each key; keys with an empty part belong to no row.

    Raises
    ------
    SourceError
        For each key that stands in several rows.
    """
    rows: dict[tuple[str | None, ...], int] = {}
    problems = []
    for row, key in enumerate(zip(*(texts(columns, name) for name in on), strict=True)):
        if None in key:
            continue
        if rows.setdefault(key, row) != row:
            problems.append(f"{columns.location(row)}: {', '.join(map(str, key))} stands in row "
                            f"{rows[key] + 1} too, but {', '.join(on)} must tell the rows apart")
    if problems:
        raise SourceError(first_few(problems, "such rows"))
    return rows
