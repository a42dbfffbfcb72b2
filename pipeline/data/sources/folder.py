"""Class folders with pictures, and a table of captions."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.machine.home import expanded
from features.machine.nearest import did_you_mean
from pipeline.data.reading.class_folders import (
    PARTS,
    ClassFolders,
    endings,
    look_below,
    looks_like_split,
)
from pipeline.data.reading.names import by_normal_form, lookalikes, normal, unlike_all
from pipeline.data.samples import FilePicture, Samples, SourceError, WrongKey
from pipeline.data.sources.column_values import texts
from pipeline.data.sources.columns import (
    missing_columns,
    names_in,
    read_columns,
    wrong_columns,
)
from pipeline.data.sources.problems import all_of, existing, first_few, not_there
from reports.wording import count


@dataclass(frozen=True, kw_only=True)
class Folder:
    """Pictures in one folder per class, at any depth.

    Links are followed. Hidden files are passed over, and so is what is no picture by its ending,
    which is said. A picture's id is its path relative to `path`, with forward slashes.

    Parameters
    ----------
    path : folder of the class folders, relative to the grid file.
    captions : table (CSV, TSV, JSON Lines, Parquet) with the texts, relative to the grid file;
        without one no row has a text. Several captions of a picture are joined line by line.
    file, caption : the table's columns: the picture's path relative to `path`, and its text.
    split : the class folders lie in train/ and test/ (or Train/ and Test/), which is the official
        split.
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
            No pictures, class folders without any, pictures outside the class folders, class
            folders that look like an official split, captions of files that do not exist.
        """
        root, captions = all_of(
            lambda: existing(self.path, folder, "path"),
            lambda: None if self.captions is None else existing(self.captions, folder, "captions"),
        )
        below = look_below(root, 2 if self.split else 1)
        ids = below.pictures
        if not ids and not below.folders:
            raise SourceError(
                [f"{root} holds no pictures (class folders with files that Pillow reads)"]
            )
        _, captioned = all_of(
            lambda: self._check_locations(root, below),
            lambda: {} if captions is None else self._captions(captions, ids),
        )
        parts = [picture.split("/") for picture in ids]
        locations = [str(Path(self.path) / picture) for picture in ids]
        return Samples(
            locations=locations,
            pictures=[
                FilePicture(root / picture, location)
                for picture, location in zip(ids, locations, strict=True)
            ],
            texts=[captioned.get(picture) for picture in ids],
            labels=[names[int(self.split)] for names in parts],
            ids=ids,
            split=[names[0].lower() for names in parts] if self.split else None,
            notes=_passed_over(root, below),
        )

    def wrong_keys(self, folder: Path) -> list[WrongKey]:
        """Files and columns that are named and not there; see pipeline.data.samples.LooksAhead."""
        paths = {"path": self.path, "captions": self.captions}
        reasons = {key: path and not_there(path, folder) for key, path in paths.items()}
        wrong = [WrongKey((key,), reason) for key, reason in reasons.items() if reason is not None]
        if self.captions is None or reasons["captions"] is not None:
            return wrong
        file = folder / expanded(self.captions)
        try:
            names = names_in(file, [self.file, self.caption])
        except SourceError as error:
            return [*wrong, WrongKey(("captions",), error.problems[0])]
        columns = wrong_columns(self._columns(), names, file)
        return [*wrong, *(WrongKey((column.key,), column.reason) for column in columns)]

    def group_columns(self) -> list[str]:
        """See pipeline.data.samples.LooksAhead."""
        return []

    def _columns(self) -> list[tuple[str, str]]:
        """The columns of the captions' table, as pairs of grid key and name."""
        return [("file", self.file), ("caption", self.caption)]

    def _check_locations(self, root: Path, below: ClassFolders) -> None:
        """Raise for every picture and folder that is not where it should be."""
        if not self.split and looks_like_split(below.folders):
            names = ", ".join(below.folders)
            raise SourceError([
                f"path: the class folders of {root} are called {names}, as the parts of an official"
                " split are, not classes: say `split: true` under data: where class folders lie in "
                "train/ and test/ (and move others elsewhere, or rename them)"
            ])
        depth = 2 if self.split else 1
        form = "train/<class>/ or test/<class>/" if self.split else "<class>/"
        strays = [
            picture
            for picture in below.pictures
            if picture.count("/") < depth
            or (self.split and picture.split("/")[0].lower() not in PARTS)
        ]
        wrong = [
            f"{root / picture}: pictures must lie in {form} below {root}" for picture in strays
        ]
        empty = [
            f"{root}: {reason}; move it elsewhere where it is no class"
            for reason in below.without_pictures()
        ]
        problems = [
            *first_few(wrong, "such pictures"),
            *first_few(empty, "such folders"),
            *first_few(below.problems, "such folders"),
        ]
        if problems:
            raise SourceError(problems)

    def _captions(self, table: Path, ids: Sequence[str]) -> Mapping[str, str]:
        """Map each picture to its captions, one under the other."""
        columns = read_columns(table, [self.file, self.caption])
        missing = missing_columns(self._columns(), columns.names, table)
        if missing:
            raise SourceError(missing)
        known, look_same = set(ids), by_normal_form(ids)
        captions, problems = dict[str, str](), list[str]()
        pairs = zip(texts(columns, self.file), texts(columns, self.caption), strict=True)
        for row, (name, caption) in enumerate(pairs):
            picture = posixpath.normpath(name) if name else ""
            if picture not in known:
                picture = look_same.get(normal(picture), picture)
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
    several = lookalikes(ids).get(normal(posixpath.normpath(name)))
    if several:
        return f"the file may be any that look the same: {unlike_all([name, *several])}"
    question = did_you_mean(name, ids)
    return f"there is no picture '{name}'" + (f"; {question}" if question else "")


def _passed_over(root: Path, below: ClassFolders) -> tuple[str, ...]:
    others = below.passed_over()
    if not others:
        return ()
    return (
        f"{count(others.total(), 'file')} below {root} "
        f"{'is' if others.total() == 1 else 'are'} taken for no picture, by the ending: "
        f"{endings(others)}",
    )
