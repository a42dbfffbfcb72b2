"""Class folders with pictures, and a table of captions."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.machine.nearest import did_you_mean
from pipeline.data.samples import FilePicture, Samples, SourceError
from pipeline.data.sources.column_values import texts
from pipeline.data.sources.columns import missing_columns, read_columns
from pipeline.data.sources.problems import all_of, existing, first_few

PARTS = ("train", "test")


@dataclass(frozen=True, kw_only=True)
class Folder:
    """Pictures in one folder per class, at any depth.

    Hidden files and what is no picture are passed over. A picture's id is its path relative to
    `path`, with forward slashes.

    Parameters
    ----------
    path : folder of the class folders, relative to the grid file.
    captions : table (CSV, TSV, JSON Lines, Parquet) with the texts, relative to the grid file;
        without one no row has a text. Several captions of a picture are joined line by line.
    file, caption : the table's columns: the picture's path relative to `path`, and its text.
    split : the class folders lie in train/ and test/, which is the official split.
    """

    path: str
    captions: str | None = None
    file: str = "file"
    caption: str = "caption"
    split: bool = False

    def load(self, folder: Path) -> Samples:
        """List the pictures and read the captions; see pipeline.data.samples.Source.

        Raises
        ------
        SourceError
            No pictures, pictures outside the class folders, captions of files that do not exist.
        """
        root, captions = all_of(
            lambda: existing(self.path, folder, "path"),
            lambda: None if self.captions is None else existing(self.captions, folder, "captions"),
        )
        ids = list(_pictures_below(root))
        if not ids:
            raise SourceError(
                [f"{root} holds no pictures (class folders with files that Pillow reads)"]
            )
        _, captioned = all_of(
            lambda: self._check_locations(root, ids),
            lambda: {} if captions is None else self._captions(captions, ids),
        )
        return Samples(
            locations=[str(Path(self.path) / picture) for picture in ids],
            pictures=[FilePicture(root / picture) for picture in ids],
            texts=[captioned.get(picture) for picture in ids],
            labels=[picture.split("/")[int(self.split)] for picture in ids],
            ids=ids,
            split=[picture.split("/")[0] for picture in ids] if self.split else None,
        )

    def _check_locations(self, root: Path, ids: Sequence[str]) -> None:
        """Raise for every picture that lies in no class folder, or in neither train/ nor test/."""
        depth = 2 if self.split else 1
        form = "train/<class>/ or test/<class>/" if self.split else "<class>/"
        wrong = [
            f"{root / picture}: pictures must lie in {form} below {root}"
            for picture in ids
            if picture.count("/") < depth or (self.split and picture.split("/")[0] not in PARTS)
        ]
        if wrong:
            raise SourceError(first_few(wrong, "such pictures"))

    def _captions(self, table: Path, ids: Sequence[str]) -> Mapping[str, str]:
        """Map each picture to its captions, one under the other."""
        columns = read_columns(table, [self.file, self.caption])
        missing = missing_columns(
            [("file", self.file), ("caption", self.caption)], columns.names, table
        )
        if missing:
            raise SourceError(missing)
        known, captions, problems = set(ids), dict[str, str](), list[str]()
        pairs = zip(texts(columns, self.file), texts(columns, self.caption), strict=True)
        for row, (name, caption) in enumerate(pairs):
            picture = posixpath.normpath(name) if name else ""
            if picture not in known:
                problems.append(f"{columns.location(row)}: {_no_picture(name, ids)}")
            elif caption:
                before = [captions[picture]] if picture in captions else []
                captions[picture] = "\n".join([*before, caption])
        if problems:
            raise SourceError(first_few(problems, "such captions"))
        return captions


def _no_picture(name: str | None, ids: Sequence[str]) -> str:
    if name is None:
        return "the caption names no file"
    question = did_you_mean(name, ids)
    return f"there is no picture '{name}'" + (f"; {question}" if question else "")


def _pictures_below(root: Path) -> Iterator[str]:
    """Yield the paths below `root` of files with an ending that Pillow reads, ordered by name."""
    endings = _readable_endings()
    for directory, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(directory).relative_to(root)
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in endings:
                yield (below / name).as_posix()


def _readable_endings() -> set[str]:
    """List the endings of formats that are decoded, such as ".png"."""
    from PIL import Image  # imports every picture format there is

    from features.pictures.decoding import FORMATS

    return {ending for ending, kind in Image.registered_extensions().items() if kind in FORMATS}
