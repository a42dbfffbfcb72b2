"""A grid in the making: each line with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.grid import GridTask
from pipeline.data.sources.columns import ENDINGS

FOLDS = 5
LARGE = 5_000  # rows from which on folds are drawn once: with as many, a draw decides little


def is_data(path: Path) -> bool:
    """Whether a path is that of a table or a folder, and not that of a grid."""
    return path.is_dir() or path.suffix.lower() in ENDINGS


@dataclass(frozen=True)
class Instead:
    """What would be better than what a line says, and modules for it that are not installed."""

    name: str
    modules: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A key, or an entry of a list, and why it is as it is; what would stand there instead."""

    key: str
    value: Any
    why: str = ""
    instead: Instead | None = None


def drawn(rows: int, noun: str) -> Line:
    """How folds of so many rows are drawn."""
    is_large = rows > LARGE
    value = {"folds": FOLDS, "repeats": 1 if is_large else FOLDS}
    why = f"each {noun} is tested once" if is_large else "five draws of five folds"
    return Line("split", value, why)


@dataclass(frozen=True)
class Draft:
    """What a grid will say.

    Parameters
    ----------
    path : what was looked at: a table, or a folder.
    about : it in a few words.
    data : under the grid's `data`, beside the path.
    split : how folds are drawn; its value is a mapping.
    image, text : encoders, an entry of the list each.
    seen : what else was seen, for the reader alone: a heading and a sentence.
    doubts : what speaks against the grid or its rows.
    """

    path: Path
    about: str
    source: str
    task: GridTask
    data: tuple[Line, ...]
    split: Line
    image: tuple[Line, ...] = ()
    text: tuple[Line, ...] = ()
    seen: tuple[Line, ...] = ()
    doubts: tuple[str, ...] = ()

    def value(self, key: str) -> Any:
        """What `data` says of a key; None where it says nothing."""
        return next((line.value for line in self.data if line.key == key), None)

    def content(self, path: str) -> dict[str, Any]:
        """The keys of the grid, where `path` leads from it to what was looked at."""
        content: dict[str, Any] = {} if self.task == "classification" else {"task": self.task}
        content["data"] = {
            "source": self.source, "path": path, **{line.key: line.value for line in self.data}
        }
        content["split"] = dict(self.split.value)
        encoders: Mapping[str, tuple[Line, ...]] = {"image": self.image, "text": self.text}
        return content | {
            key: [line.value for line in lines] for key, lines in encoders.items() if lines
        }


@dataclass(frozen=True)
class Given:
    """Columns that whoever asks has named; None, or none, for those to be looked for."""

    label: str | None = None
    image: str | None = None
    text: tuple[str, ...] = ()


class NoStart(Exception):
    """Rows for which no grid can be written, and why; a line for each column where that helps."""
