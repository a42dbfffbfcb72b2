"""Rows of a table: CSV, TSV, JSON Lines or Parquet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from pipeline.data.reading import arrow as pa
from pipeline.data.reading.quotes import Quoting
from pipeline.data.samples import Samples, SourceError
from pipeline.data.sources.column_values import texts
from pipeline.data.sources.columns import Columns, missing_columns, read_columns
from pipeline.data.sources.join import Join, joined, unjoined_notes
from pipeline.data.sources.problems import all_of, existing
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
        conditions = [("where", name) for name in self.where or {}]
        columns = self._columns(folder, [*roles.asked(), *conditions])
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
        on, join = listed(self.join["on"]), self.join["path"]
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
