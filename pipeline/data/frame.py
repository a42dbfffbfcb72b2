"""Rows that are in memory: a pandas data frame, an Arrow table, or a list of mappings."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from features.pictures.decoding import UnreadablePicture, encoded
from pipeline.data.reading import arrow as pa
from pipeline.data.reading.arrow_types import without_views
from pipeline.data.reading.numbers import number_text
from pipeline.data.samples import Samples, SourceError
from pipeline.data.sources.columns import Columns, missing_columns, several
from pipeline.data.sources.problems import first_few
from pipeline.data.sources.rows import Names, Recurring, Roles, samples_from

FRAME = "frame"
NAME = "data"  # what messages call the rows: that is what they are given as


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Rows of a table in memory, given from Python beside the grid.

    `image` or `text` may be absent.

    Parameters
    ----------
    label : column with the class; numbers become their plain text (3, not 3.0).
    image : column with the picture: its path (which counts from the working folder), its encoded
        bytes, a picture of Pillow, or a uint8 array (height, width) or (height, width, 3).
    text : column with the text, or several whose non-empty texts are joined line by line.
    id, split : columns with the row's own id, and with "train" or "test".
    group : column, or columns, by whose values rows may be grouped; the first is the default.
        `text` and `image` group rows of the same text or picture where no column is called so.
    breakdown : column, or columns, by whose values the report breaks accuracy down.
    recurring : text, image or both, where the same texts or pictures come again with new items (a
        question that is asked about many pictures): that they are known gives nothing away.
    """

    label: str
    image: str | None = None
    text: Names | None = None
    id: str | None = None
    group: Names | None = None
    split: str | None = None
    breakdown: Names | None = None
    recurring: Recurring | None = None

    def samples(self, rows: Any) -> Samples:
        """The rows of a table.

        Parameters
        ----------
        rows : pandas.DataFrame, pyarrow.Table or what else gives Arrow's stream, or a list of
            mappings.

        Raises
        ------
        SourceError
            Where it is none of these, lacks columns, has no rows, or a column cannot play its part.
        """
        roles = Roles.of(self)
        roles.check(NAME)
        if hasattr(rows, "__arrow_c_stream__") and not is_pandas(rows):
            rows = pa.table(rows)
        if isinstance(rows, pa.Table):
            rows = without_views(rows)
        columns = _columns(rows, roles)
        count = len(columns.table)
        return samples_from(columns, [columns.location(row) for row in range(count)], roles)


# The source that a grid has whose rows are given from Python; no grid file can name it.
FRAMES: dict[str, type] = {FRAME: Frame}


def is_pandas(rows: object) -> bool:
    """Whether rows are a data frame of pandas, which need not be installed."""
    kind = type(rows)
    return kind.__module__.partition(".")[0] == "pandas" and kind.__name__ == "DataFrame"


def is_missing(value: object) -> bool:
    """Whether a value stands for none: None, a number that is none, or what pandas has for it."""
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _columns(rows: Any, roles: Roles) -> Columns:
    names, values = _named(rows)
    file = Path.cwd() / NAME
    asked = list(dict.fromkeys(name for _, name in roles.asked()))
    twice = [name for name in asked if names.count(name) > 1]
    problems = [several(NAME, name) for name in twice]
    problems += missing_columns(roles.asked(), names, file)
    if problems:
        raise SourceError(problems)
    if not len(rows):
        raise SourceError([f"{NAME} holds no rows"])
    there = [name for name in asked if name in names]
    table = {
        name: _pictures(values(name)) if name == roles.image else _texts(name, values(name))
        for name in there
    }
    return Columns(file, tuple(names), pa.table(table), allow_outside=True)


def _named(rows: Any) -> tuple[list[str], Any]:
    """The names of all columns, and what gives the values of one."""
    if is_pandas(rows):
        names = [str(name) for name in rows.columns]
        return names, lambda name: _of_pandas(rows.iloc[:, names.index(name)])
    if isinstance(rows, pa.Table):
        return rows.column_names, rows.column
    if isinstance(rows, list | tuple) and all(isinstance(row, Mapping) for row in rows):
        names = list(dict.fromkeys(map(str, itertools.chain.from_iterable(rows))))
        return names, lambda name: [row.get(name) for row in rows]
    raise SourceError([
        f"{NAME} must be a pandas data frame, an Arrow table or a list of mappings, not "
        f"{type(rows).__name__}"
    ])


def _of_pandas(column: Any) -> list[Any]:
    """The values; numbers keep their precision, which Python's own have not."""
    if getattr(column.dtype, "kind", "") != "f":
        return list(column.tolist())
    precision = getattr(column.dtype, "numpy_dtype", column.dtype)
    return list(column.to_numpy(dtype=precision, na_value=np.nan))


def _texts(name: str, values: Any) -> Any:
    """A column of plain values; Arrow's own has its type checked by whoever reads it."""
    if isinstance(values, pa.ChunkedArray):
        return values
    problems: list[str] = []
    column = [_text(value, row, name, problems) for row, value in enumerate(values, 1)]
    if problems:
        raise SourceError(first_few(problems, "such rows"))
    return pa.array(column, pa.large_string())


def _text(value: Any, row: int, name: str, problems: list[str]) -> str | None:
    if is_missing(value):
        return None
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, Mapping | bytes | np.ndarray | Image.Image | list | tuple | set):
        problems.append(
            f"{NAME} row {row}: '{name}' must be text, a number, a date, true or false, not "
            f"{type(value).__name__}"
        )
        return None
    return number_text(value) if isinstance(value, float | np.floating | Decimal) else str(value)


def _pictures(values: Any) -> Any:
    """A column of pictures: paths, and encoded bytes of those that are in memory."""
    if isinstance(values, pa.ChunkedArray):
        return values
    problems: list[str] = []
    column = [_picture(value, row, problems) for row, value in enumerate(values, 1)]
    if problems:
        raise SourceError(first_few(problems, "such rows"))
    file = [("bytes", pa.large_binary()), ("path", pa.large_string())]
    return pa.array(column, pa.struct(file))


def _picture(value: Any, row: int, problems: list[str]) -> Mapping[str, Any] | None:
    if is_missing(value):
        return None
    if isinstance(value, Mapping):  # as Hugging Face's data sets have it
        return {"bytes": value.get("bytes"), "path": value.get("path")}
    if isinstance(value, str | os.PathLike):
        return {"path": str(value)}
    try:
        return {"bytes": encoded(value)}
    except (UnreadablePicture, TypeError) as error:
        problems.append(f"{NAME} row {row}: {error}")
        return None

