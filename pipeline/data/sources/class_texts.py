"""The texts of classes as the grid gives them: a table, or the texts of each class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from features.machine.home import expanded
from pipeline.data.class_texts import KEY, Pairs
from pipeline.data.samples import SourceError
from pipeline.data.sources.column_values import texts
from pipeline.data.sources.columns import (
    missing_columns,
    names_in,
    read_columns,
    wrong_columns,
)
from pipeline.data.sources.problems import existing, not_there

GivenTexts = str | Mapping[str, tuple[str, ...]]  # a table's path, or the texts of each class
COLUMNS = ("class", "text")


def read_class_texts(given: GivenTexts | None, folder: Path) -> Pairs | None:
    """Pairs of class and text, in the order given; None where none are given.

    Parameters
    ----------
    folder : what a table's path counts from.

    Raises
    ------
    SourceError
        For a table that cannot be read.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return _table(given, folder)
    pairs: list[tuple[str, str]] = []
    for name, class_texts in given.items():
        pairs += [(name, text) for text in class_texts]
    return pairs


def wrong_class_texts(given: GivenTexts | None, folder: Path) -> list[str]:
    """Why a table that is named cannot have the texts: without reading its rows."""
    if not isinstance(given, str):
        return []
    reason = not_there(given, folder)
    if reason is not None:
        return [reason]
    file = folder / expanded(given)
    try:
        columns = wrong_columns(_asked(), names_in(file, COLUMNS), file)
    except SourceError as error:
        return list(error.problems)
    return [column.reason for column in columns]


def _asked() -> list[tuple[str, str]]:
    return [(KEY, name) for name in COLUMNS]


def _table(given: str, folder: Path) -> Pairs:
    file = existing(given, folder, KEY)
    columns = read_columns(file, COLUMNS)
    missing = missing_columns(_asked(), columns.names, file)
    if missing:
        raise SourceError(missing)
    names, values = (texts(columns, name) for name in COLUMNS)
    return [(name or "", text or "") for name, text in zip(names, values, strict=True)]
