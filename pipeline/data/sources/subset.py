"""Part of a source's rows: those with given values, and a stratified sample for quick trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

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
        allowed = {_text(value) for value in (given if isinstance(given, list) else [given])}
        occurring = {value for value in columns[name] if value is not None}
        problems += [
            f"where: column '{name}' never holds '{value}'{hint(value, occurring, 'it holds')}"
            for value in sorted(allowed - occurring)
        ]
        fulfils &= np.fromiter((value in allowed for value in columns[name]), dtype=bool, count=n)
    if where and not problems and not fulfils.any():
        problems.append(f"where: no row fulfils all of {', '.join(where)}")
    if problems:
        raise SourceError(problems)
    return np.flatnonzero(fulfils)


def _text(value: Value) -> str:
    """Write a YAML value as a table's column holds it."""
    return str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")


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
