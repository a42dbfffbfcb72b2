"""Picture files in class folders, and what else lies there: links, other files, no files."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

# Folders that are called so are hardly classes.
PARTS = ("train", "test")
PARTS_BY_OTHER_NAMES = ("training", "testing", "val", "valid", "validation", "dev", "eval")
DEEPEST = 100  # levels of folders that are looked at; `os.walk` calls itself for each
_Identity = tuple[int, int]


@dataclass
class ClassFolders:
    """What lies below a folder.

    Attributes
    ----------
    pictures : paths below it with an ending that Pillow reads, ordered by name.
    folders : its class folders.
    others : of each class folder, how often which ending that Pillow does not read occurs; "" is
        that of files without one.
    problems : what cannot be looked at, one sentence each.
    """

    pictures: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    others: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    problems: list[str] = field(default_factory=list)

    def without_pictures(self) -> list[str]:
        """Say of each class folder that holds no picture what it holds."""
        depth = self.folders[0].count("/") + 1 if self.folders else 0
        full = {"/".join(picture.split("/")[:depth]) for picture in self.pictures}
        return [
            f"the class folder {name} holds no pictures: {self._content(name)}"
            for name in self.folders
            if name not in full
        ]

    def _content(self, name: str) -> str:
        if not self.others[name]:
            return "it is empty"
        return f"none of its files has an ending that Pillow reads ({endings(self.others[name])})"

    def passed_over(self) -> Counter[str]:
        """How many files with which endings were taken for no pictures."""
        return sum(self.others.values(), Counter())


def look_below(root: Path, depth: int) -> ClassFolders:
    """List what lies below `root`, whose class folders are `depth` levels down.

    Hidden files are not looked at. Links are followed; within a class folder each folder counts
    once, however many links lead there, so that links in a circle end.
    """
    below, readable = ClassFolders(), readable_endings()
    for folder, files in _walk(root, depth, below):
        parts = folder.parts
        of_class = "/".join(parts[:depth])
        if len(parts) == depth:
            below.folders.append(of_class)
        for name in files:
            ending = Path(name).suffix.lower()
            if ending in readable:
                below.pictures.append((folder / name).as_posix())
            elif len(parts) >= depth:
                below.others[of_class][ending] += 1
            elif (root / folder / name).is_symlink() and not (root / folder / name).exists():
                below.problems.append(f"{root / folder / name} is a link to nothing")
    return below


def endings(counts: Counter[str]) -> str:
    """Endings with their counts, the most frequent first."""
    first = counts.most_common(6)
    return ", ".join(f"{count} {ending or 'without one'}" for ending, count in first)


def looks_like_split(folders: Sequence[str]) -> bool:
    """Whether class folders are called like the parts of a split."""
    names = {name.casefold() for name in folders}
    known = {*PARTS, *PARTS_BY_OTHER_NAMES}
    return bool(names) and names <= known and any(name.startswith(PARTS) for name in names)


def _walk(
    root: Path, depth: int, below: ClassFolders
) -> Iterator[tuple[PurePosixPath, list[str]]]:
    """Each folder's path below `root` and its files, both without hidden ones."""

    def unreadable(error: OSError) -> None:
        below.problems.append(f"{error.filename} cannot be read: {error.strerror}")

    seen: defaultdict[tuple[str, ...], set[_Identity]] = defaultdict(lambda: {_identity(root)})
    for directory, folders, files in os.walk(root, followlinks=True, onerror=unreadable):
        folder = PurePosixPath(Path(directory).relative_to(root).as_posix())
        fresh: list[str] = []
        if len(folder.parts) == DEEPEST and folders:
            below.problems.append(f"{directory} holds folders deeper than {DEEPEST} levels")
            folders.clear()
        for name in sorted(name for name in folders if not name.startswith(".")):
            of_class = (*folder.parts, name)[:depth]
            try:
                identity = _identity(Path(directory, name))
            except OSError as error:  # it went meanwhile, or its link leads nowhere by now
                unreadable(error)
                continue
            if identity not in seen[of_class]:
                seen[of_class].add(identity)
                fresh.append(name)
            elif len(folder.parts) < depth:
                below.problems.append(f"{Path(directory, name)} is a link to a folder above it")
        folders[:] = fresh
        yield folder, sorted(name for name in files if not name.startswith("."))


def _identity(folder: Path) -> _Identity:
    status = folder.stat()
    return status.st_dev, status.st_ino


@cache
def readable_endings() -> frozenset[str]:
    """Endings of formats that are decoded, such as ".png"."""
    from PIL import Image  # imports every picture format there is

    from features.pictures.decoding import FORMATS

    return frozenset(
        ending for ending, kind in Image.registered_extensions().items() if kind in FORMATS
    )
