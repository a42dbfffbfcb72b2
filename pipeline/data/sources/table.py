"""Rows of a table: CSV, TSV, JSON Lines or Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from features.machine.home import expanded
from pipeline.data.reading import arrow as pa
from pipeline.data.reading.quotes import Quoting
from pipeline.data.samples import Samples, SourceError, WrongKey
from pipeline.data.sources.column_values import texts
from pipeline.data.sources.columns import (
    Columns,
    WrongColumn,
    missing_columns,
    names_in,
    read_columns,
    several,
    wrong_columns,
)
from pipeline.data.sources.join import (
    ON,
    Join,
    NamesOf,
    joined,
    unjoined_notes,
    wrong_columns_of_both,
)
from pipeline.data.sources.problems import all_of, existing, not_there
from pipeline.data.sources.rows import Names, Recurring, Roles, listed, samples_from
from pipeline.data.sources.subset import Where, rows_where, stratified


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of a CSV, TSV, JSON Lines or Parquet file (its ending says which), or of a folder.

    In a CSV file commas, semicolons or tabs stand between values; which, its first rows tell.

    `image` or `text` may be absent.

    Parameters
    ----------
    path : the file, relative to the grid file; or a folder of Parquet files, which are read in the
        order of their names.
    label : column with the class; numbers become their plain text (3, not 3.0). Only retrieval can
        do without.
    image : column with the picture: its path relative to the table's own folder, or (Parquet) its
        encoded bytes, also in the form {bytes, path} of Hugging Face files.
    text : column with the text, or several whose non-empty texts are joined line by line.
    id, split : columns with the row's own id, and with "train" or "test".
    group : column, or columns, by whose values rows may be grouped; the first is the default.
        `text` and `image` group rows of the same text or picture where no column is called so.
    breakdown : column, or columns, by whose values the report breaks accuracy down.
    recurring : text, image or both, where the same texts or pictures come again with new items (a
        question that is asked about many pictures): that they are known gives nothing away.
    where : column -> allowed value or values; only such rows are read.
    sample : number of rows to take, at random (from `sample_seed`) and stratified by class.
    sample_seed : decides which rows these are.
    join : second table, whose columns can be named like the table's own: `path`, the key columns
        `on`, and its `quoting`.
    allow_outside : whether `image` may name files outside the table's folder, by an absolute path
        or with `..` in it.
    quoting : of a CSV or TSV file: `double` quotes around values with delimiters or line breaks, or
        `none` where its writer never quotes and a quote is a letter. By default quotes are read,
        and a file in which they may be letters is refused.
    """

    path: str
    label: str | None = None
    image: str | None = None
    text: Names | None = None
    id: str | None = None
    group: Names | None = None
    split: str | None = None
    breakdown: Names | None = None
    recurring: Recurring | None = None
    where: Where | None = None
    sample: Annotated[int, Field(gt=0)] | None = None
    sample_seed: Annotated[int, Field(ge=0)] = 0
    join: Join | None = None
    quoting: Quoting | None = None
    allow_outside: bool = False

    def load(self, folder: Path) -> Samples:
        """Read the rows; see pipeline.data.samples.Source.

        Raises
        ------
        SourceError
            Missing files or columns, damaged rows, values of `where` and `split` that cannot be,
            ambiguous keys of `join`.
        """
        roles = Roles.of(self)
        roles.check(self.path)
        columns = self._columns(folder, [*roles.asked(), *self._conditions()])
        columns = replace(columns, allow_outside=self.allow_outside)
        n = len(columns.table)
        if not n:
            raise SourceError([f"{columns.file} holds no rows"])
        rows = rows_where({name: texts(columns, name) for name in self.where or {}}, self.where, n)
        labels = [None] * n if self.label is None else texts(columns, self.label)
        rows = rows[stratified([labels[row] for row in rows], self.sample, self.sample_seed)]
        locations = [columns.location(row) for row in rows]
        notes = unjoined_notes(columns, rows, self.join["path"]) if self.join else ()
        if len(rows) < n:
            columns = replace(
                columns, table=columns.table.filter(pa.array(np.isin(np.arange(n), rows)))
            )
        return samples_from(columns, locations, roles, notes)

    def wrong_keys(self, folder: Path) -> list[WrongKey]:
        """Files and columns that are named and not there; see pipeline.data.samples.LooksAhead."""
        roles = Roles.of(self)
        tables, wrong = self._headers(folder)
        if roles.nothing is not None:
            wrong.append(WrongKey((), roles.nothing))
        if wrong:
            return wrong
        asked, on = [*roles.asked(), *self._conditions()], self._on()
        columns = (
            wrong_columns_of_both(tables[0], tables[1], on, asked) if self.join
            else wrong_columns(asked, tables[0].names, tables[0].file)
        )
        for table in tables:
            columns += [
                WrongColumn(key, name, several(table.file.name, name))
                for key, name in [*asked, *((ON, name) for name in on)]
                if list(table.names).count(name) > 1
            ]
        return [WrongKey(self._path(column.key, column.name), column.reason) for column in columns]

    def group_columns(self) -> list[str]:
        """See pipeline.data.samples.LooksAhead."""
        return listed(self.group)

    def _headers(self, folder: Path) -> tuple[list[NamesOf], list[WrongKey]]:
        """The columns of the table and of the joined one, and what is wrong with the files."""
        asked = {*self._on(), *(name for _, name in [*Roles.of(self).asked(), *self._conditions()])}
        tables, wrong = list[NamesOf](), list[WrongKey]()
        for key, path, quoting in self._files():
            reason = not_there(path, folder)
            file = folder / expanded(path)
            try:
                if reason is None:
                    tables.append(NamesOf(file, names_in(file, asked, quoting)))
            except SourceError as error:
                reason = error.problems[0]
            if reason is not None:
                wrong.append(WrongKey(key, reason))
        return tables, wrong

    def _files(self) -> list[tuple[tuple[str, ...], str, Quoting | None]]:
        """The table and the joined one: the grid key, the path, how it is written."""
        files: list[tuple[tuple[str, ...], str, Quoting | None]] = []
        files.append((("path",), self.path, self.quoting))
        if self.join is not None:
            files.append((("join", "path"), self.join["path"], self.join.get("quoting")))
        return files

    def _on(self) -> list[str]:
        return [] if self.join is None else listed(self.join["on"])

    def _conditions(self) -> list[tuple[str, str]]:
        return [("where", name) for name in self.where or {}]

    def _path(self, key: str, name: str) -> tuple[str | int, ...]:
        """Where in the grid a column is named, below `data`."""
        path = ("join", "on") if key == ON else (key,)
        value = self.join["on"] if key == ON and self.join else getattr(self, key, name)
        if isinstance(value, list):
            return (*path, value.index(name))
        return (*path, name) if isinstance(value, Mapping) else path

    def _columns(self, folder: Path, asked: list[tuple[str, str]]) -> Columns:
        """Read the columns that the grid names, as pairs of key and name, and join them."""
        names, pictures = [name for _, name in asked], listed(self.image)
        if self.join is None:
            columns = read_columns(
                existing(self.path, folder, "path"), names, pictures, self.quoting
            )
            problems = missing_columns(asked, columns.names, columns.file)
            if problems:
                raise SourceError(problems)
            return columns
        on, join = self._on(), self.join["path"]
        files = all_of(
            partial(existing, self.path, folder, "path"),
            partial(existing, join, folder, "join path"),
        )
        quoting = (self.quoting, self.join.get("quoting"))
        columns, other = all_of(
            *(
                partial(read_columns, file, [*names, *on], pictures, of_file)
                for file, of_file in zip(files, quoting, strict=True)
            )
        )
        return joined(columns, other, on, asked)
