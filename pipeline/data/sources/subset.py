"""Part of a source's rows: those with given values, and a stratified sample for quick trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pipeline.data.reading.names import normal
from pipeline.data.reading.numbers import is_number, number_text
from pipeline.data.rows import Rows
from pipeline.data.samples import SourceError
from pipeline.data.sources.problems import hint

Value = str | int | float | bool
Where = dict[str, Value | list[Value]]
Column = Sequence[str | None]


def rows_where(columns: Mapping[str, Column], where: Where | None, n: int) -> Rows:
    """Find the rows among n that hold an allowed value in every column: positions (m,), ascending.

    Parameters
    ----------
    columns : each column named in `where`, n entries.
    where : column -> the allowed value, or a list of them; None allows every row.

    Raises
    ------
    SourceError
        For each value that never occurs, or where no row fulfils all conditions.
    """
    fulfils = np.ones(n, dtype=bool)
    problems: list[str] = []
    for name, given in (where or {}).items():
        occurring = {value for value in columns[name] if value is not None}
        allowed: set[str] = set()
        for value in given if isinstance(given, list) else [given]:
            meant = _meant(value, occurring)
            allowed |= meant
            if not meant:
                text = _text(value)
                problems.append(
                    f"where: column '{name}' never holds '{text}'"
                    f"{hint(text, occurring, 'it holds')}"
                )
        fulfils &= np.fromiter((value in allowed for value in columns[name]), dtype=bool, count=n)
    if where and not problems and not fulfils.any():
        problems.append(f"where: no row fulfils all of {', '.join(where)}")
    if problems:
        raise SourceError(problems)
    return np.flatnonzero(fulfils)


def _meant(value: Value, occurring: Collection[str]) -> set[str]:
    """The values of a column that a YAML value means.

    A text means the values that look the same, "1.0" only 1.0; a number every way to write it, 1
    also 1.0.
    """
    text = _text(value)
    if isinstance(value, bool | str):
        form = normal(text)
        return {held for held in occurring if held == text or normal(held) == form}
    return {
        held
        for held in occurring
        if held == text or (is_number(held) and number_text(held) == text)
    }


def _text(value: Value) -> str:
    """Write a YAML value as a table's column holds it."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else number_text(value) or "nan"


def stratified(labels: Column, size: int | None, seed: int) -> Rows:
    """Draw positions (size,), ascending, with the classes in the shares they have in `labels`.

    Shares that are no whole numbers are rounded by largest remainders; `size` None takes every row.

    Raises
    ------
    SourceError
        Where `size` is more than there are rows.
    """
    if size is None:
        return np.arange(len(labels))
    if size > len(labels):
        raise SourceError([f"sample: {size} is more than the {len(labels)} rows there are"])
    counts = sorted(Counter(label or "" for label in labels).items())
    shares = np.array([count for _, count in counts]) * size / len(labels)
    sizes = np.floor(shares).astype(int)
    sizes[np.argsort(sizes - shares, kind="stable")[: size - sizes.sum()]] += 1
    random = np.random.default_rng(seed)
    known = np.array([label or "" for label in labels])
    chosen = [random.choice(np.flatnonzero(known == label), part, replace=False)
              for (label, _), part in zip(counts, sizes, strict=True)]
    return np.sort(np.concatenate(chosen))
