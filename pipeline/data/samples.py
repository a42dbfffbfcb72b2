"""What a source yields: one entry per row, unchecked, and pictures that are read when needed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from features.block import Modality
from pipeline.data.reading.regular_files import read_regular
from reports.wording import for_terminal

NOUNS: dict[Modality, str] = {"image": "picture", "text": "text"}


class Picture(Protocol):
    """An encoded picture file, wherever it lies."""

    @property
    def name(self) -> str:
        """What to call it in a message: a path, or the row it stands in."""

    @property
    def order(self) -> tuple[str, int]:
        """The order in which pictures are read fastest; equal where that is all the same."""

    def read(self) -> bytes:
        """The encoded bytes (PNG, JPEG, ...). Raises OSError where they cannot be had."""

    def digest(self) -> str:
        """Sha256 of what decides the picture's content. Raises OSError where it cannot be had."""


@dataclass(frozen=True)
class FilePicture:
    """A picture file on disk.

    Parameters
    ----------
    given : its path as whoever has it wrote it, which counts from a folder that he knows.
    """

    path: Path
    given: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The file's path, as it was given."""
        return self.given or str(self.path)

    @property
    def order(self) -> tuple[str, int]:
        """Files of a folder lie near each other."""
        return str(self.path), 0

    def read(self) -> bytes:
        """The file's bytes; see Picture."""
        try:
            return read_regular(self.path)
        except FileNotFoundError as error:
            folder = str(self.path).removesuffix(self.given).rstrip("/\\")
            if not self.given or folder in ("", str(self.path)):  # not below a folder, or elsewhere
                raise
            reason = f"{error.strerror} (the path counts from {folder})"
            raise FileNotFoundError(error.errno, reason, str(self.path)) from error

    def digest(self) -> str:
        """Sha256 of the file's bytes."""
        return hashlib.sha256(self.read()).hexdigest()


@dataclass(frozen=True)
class UnusablePicture:
    """What stands where a picture should, and why it is none."""

    name: str
    reason: str

    @property
    def order(self) -> tuple[str, int]:
        """It is never read."""
        return "", 0

    def read(self) -> bytes:
        """Raises OSError with the reason."""
        raise OSError(self.reason)

    def digest(self) -> str:
        """Raises OSError with the reason."""
        raise OSError(self.reason)


@dataclass(frozen=True)
class BytesPicture:
    """A picture whose encoded bytes are held in memory."""

    name: str
    data: bytes | memoryview = field(repr=False)

    def __reduce__(self) -> tuple[type[BytesPicture], tuple[str, bytes]]:
        """As it travels to another process, which has no view into this one's memory."""
        return BytesPicture, (self.name, bytes(self.data))

    @property
    def order(self) -> tuple[str, int]:
        """It is in memory."""
        return "", 0

    def read(self) -> bytes:
        """The bytes."""
        return bytes(self.data)

    def digest(self) -> str:
        """Sha256 of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


def reading_order(pictures: Sequence[Picture]) -> list[int]:
    """Positions of the pictures in the order in which they are read fastest."""
    return sorted(range(len(pictures)), key=lambda position: pictures[position].order)


# Names of groups that need no column: rows of the same text, or the same picture.
OF_SAMPLES = ("text", "image")


@dataclass(frozen=True)
class Samples:
    """A source's rows. Every list has one entry per row; None where the row has no value.

    Parameters
    ----------
    locations : where each row stands, for messages, like "items.csv row 12" (rows count from 1).
    ids : the rows' own ids, or None for all where the source has none.
    pictures, texts, labels : the row's picture, text and class name.
    groups : named columns that may group rows (rows of one group never straddle folds).
    group : name of the column that groups by default, if any; or one of OF_SAMPLES.
    split : "train" or "test" for each row where the source has an official split.
    notes : what a reader must know of how the rows were read, one sentence each.
    breakdown : named columns by whose values the report breaks accuracy down.
    recurring : modalities whose samples come again with new items (a question that is asked about
        many pictures): that they are known from training gives nothing away.
    """

    locations: Sequence[str]
    pictures: Sequence[Picture | None]
    texts: Sequence[str | None]
    labels: Sequence[str | None]
    ids: Sequence[str | None] | None = None
    groups: dict[str, Sequence[str | None]] = field(default_factory=dict)
    group: str | None = None
    split: Sequence[str | None] | None = None
    notes: Sequence[str] = ()
    breakdown: dict[str, Sequence[str | None]] = field(default_factory=dict)
    recurring: frozenset[Modality] = frozenset()

    def __post_init__(self) -> None:
        columns = {
            "pictures": self.pictures,
            "texts": self.texts,
            "labels": self.labels,
            "ids": self.ids,
            "split": self.split,
            **self.groups,
            **self.breakdown,
        }
        for name, column in columns.items():
            if column is not None and len(column) != len(self.locations):
                raise ValueError(f"{name} has {len(column)} entries for {len(self.locations)} rows")

    def __len__(self) -> int:
        return len(self.locations)


class SourceError(Exception):
    """A source that cannot be read; `problems` holds every reason found, one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(map(for_terminal, problems))
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class WrongKey:
    """A key of a source that cannot be as it is.

    Parameters
    ----------
    path : the way to it below `data`, like ("text", 1); empty for the source as a whole.
    reason : which rule it breaks.
    """

    path: tuple[str | int, ...]
    reason: str


class Source(Protocol):
    """Reads rows from somewhere. Its constructor only stores typed parameters, the grid's keys.

    Modules that it imports and that the base install does not bring stand in a class attribute
    `requires` (see features.estimator.Estimator.requires).
    """

    def load(self, folder: Path) -> Samples:
        """All rows; relative paths count from `folder`, where the grid file lies.

        Raises
        ------
        SourceError
            With all reasons at once, where nothing sensible can be read (no file, no such column
            ...).
        """


@runtime_checkable
class LooksAhead(Protocol):
    """What a source has that can tell wrong names of files and columns without reading rows."""

    def wrong_keys(self, folder: Path) -> list[WrongKey]:
        """Every key that names what is not there; `folder` as for `load`, which refuses it too."""

    def group_columns(self) -> list[str]:
        """The columns by which rows may be grouped, beside those of OF_SAMPLES."""
