"""From a folder of class folders to the draft of a grid."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.data.reading.class_folders import PARTS, ClassFolders, look_below, looks_like_split
from pipeline.data.samples import SourceError
from pipeline.data.sources.columns import ENDINGS
from pipeline.start.column import Column
from pipeline.start.draft import Draft, Line, NoStart, drawn
from pipeline.start.encoders import image_encoders, language_line, text_encoders
from pipeline.start.reading import LookedAt, look_at
from pipeline.start.roles import sizes, texts
from reports.wording import count, first_listed

SHOWN = 5


def folder_draft(folder: Path) -> Draft:
    """What a grid of pictures in class folders would say.

    Raises
    ------
    NoStart
        Where no two class folders hold pictures.
    """
    below = look_below(folder, 1)
    is_split = looks_like_split(below.folders)
    depth = 2 if is_split else 1
    if is_split:
        below = look_below(folder, depth)
    pictures = [name for name in below.pictures if name.count("/") >= depth]
    classes = Column.of("folder", [name.split("/")[depth - 1] for name in pictures])
    _check(folder, below, pictures, classes)
    captions = _captions(folder, below.pictures)
    encoders, guess = ((), None) if captions is None else text_encoders(_texts_of(*captions))
    language = [] if guess is None else [language_line(guess)]
    split = drawn(len(pictures), "picture")
    if is_split:
        split = Line("split", {"official": True}, "the folders train and test say so")
    return Draft(
        path=folder,
        about=f"{count(len(pictures), 'picture')} in {sizes(classes)}",
        source="folder",
        task="classification",
        data=tuple(_data(folder, captions, is_split)),
        split=split,
        image=image_encoders(),
        text=encoders,
        seen=(Line("label", "the folder's name", sizes(classes)), *language),
    )


def _check(
    folder: Path, below: ClassFolders, pictures: Sequence[str], classes: Column
) -> None:
    if below.problems:
        raise SourceError(below.problems[:SHOWN])
    if classes.distinct > 1:
        return
    tables = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    names = first_listed(below.folders, SHOWN) if below.folders else "none"
    advice = f"; is it {first_listed(tables, SHOWN)} that is meant?" if tables else ""
    raise NoStart(
        f"{folder}: a folder is a data set where two class folders at least hold pictures; here "
        f"{count(len(pictures), 'picture lies', 'pictures lie')} in "
        f"{count(classes.distinct, 'class folder')} (folders: {names}){advice}"
    )


def _captions(folder: Path, pictures: Sequence[str]) -> tuple[LookedAt, str, str] | None:
    """A table beside the class folders with texts of the pictures: its columns file and caption."""
    known = set(pictures)
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix.lower() in ENDINGS:
            table = look_at(path)
            for column in table.columns:
                if column.kind != "picture paths" or not _all_known(column, known):
                    continue
                candidates = texts([other for other in table.columns if other is not column])
                if candidates:
                    return table, column.name, candidates[0].column.name
    return None


def _all_known(column: Column, pictures: set[str]) -> bool:
    """Whether all names are those of pictures: the source refuses others."""
    return all(posixpath.normpath(name) in pictures for name in column.counts)


def _texts_of(table: LookedAt, file: str, caption: str) -> list[str]:
    return [text for text in table.values(caption) if text]


def _data(
    folder: Path, captions: tuple[LookedAt, str, str] | None, is_split: bool
) -> Iterator[Line]:
    if is_split:
        yield Line("split", True, f"class folders lie in {' and '.join(PARTS)}")
    if captions is not None:
        table, file, caption = captions
        yield Line("captions", table.file, "its rows name the pictures")
        yield Line("file", file, "paths of the pictures")
        yield Line("caption", caption, "their texts")
