"""Local copies of a bucket's entries, as many as fit: what was not used for longest goes first."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from pipeline.store import files
from pipeline.store.folder import FolderStore
from pipeline.store.manifest import MANIFEST

LIMIT = 50 * 10**9  # bytes, unless MODALGRID_CACHE_BYTES says otherwise
UNFINISHED = 86400.0  # seconds, after which nobody is at work on a copy any more
UNCOUNTED = 1 / 64  # of the limit: bytes that may be added before the folder is counted again


def bytes_allowed() -> int:
    """Bytes of the local copies of one store. Raises OSError where the variable is no number."""
    text = os.environ.get("MODALGRID_CACHE_BYTES") or str(LIMIT)
    if not text.isdecimal():
        raise OSError(f"MODALGRID_CACHE_BYTES is a whole number of bytes, not '{text}'")
    return int(text)


class LocalCopies(FolderStore):
    """A folder of entries whose arrays may be there or not.

    Files are put into place one by one, each complete, by any number of processes. An entry that is
    removed while somebody reads it stays readable: its maps stay valid (where the system allows to
    remove a mapped file at all).

    Parameters
    ----------
    limit : bytes that all copies may take, about: each process counts anew after it has added a
        64th of them. An entry that is larger by itself is there alone.
    """

    def __init__(self, root: Path, limit: int) -> None:
        super().__init__(root)
        self._limit = limit
        self._uncounted: float | None = None

    def keep_manifest(self, key: str, content: bytes) -> None:
        """Keep the manifest of an entry; arrays that are there by another manifest go."""
        with suppress(FileNotFoundError):
            if (self.folder(key) / MANIFEST).read_bytes() == content:
                return
            self.drop(key)
        with self.scratch(key) as aside:
            (aside / MANIFEST).write_bytes(content)
            self.take(key, aside / MANIFEST)

    def take(self, key: str, file: Path) -> Path | None:
        """Move a complete file into the folder of an entry; where it is then.

        None where another process removes that folder just now: then it stays where it was.
        """
        self._make_room(file.stat().st_size, key)
        folder = self.folder(key)
        folder.mkdir(parents=True, exist_ok=True)
        files.touch(folder / MANIFEST)
        try:
            return file.replace(folder / file.name)
        except FileNotFoundError:
            return None

    def drop(self, key: str) -> None:
        """Remove what is there of an entry."""
        shutil.rmtree(self.folder(key), ignore_errors=True)

    def _partial(self) -> list[Path]:
        """Folders of unfinished copies; who copies holds no lock, so only old ones."""
        return [folder for folder in super()._partial() if _is_old(folder)]

    def _make_room(self, size: int, key: str) -> None:
        """Remove what was not used for longest, until `size` bytes of an entry fit."""
        slack = self._limit * UNCOUNTED
        if self._uncounted is not None and self._uncounted + size <= slack:
            self._uncounted += size
            return
        entries = sorted(_used(folder) for folder in self.entries())
        excess = sum(bytes_ for _, bytes_, _ in entries) + size + slack - self._limit
        for _, bytes_, name in entries:
            if excess > 0 and name != key:
                self.drop(name)
                excess -= bytes_
        self._uncounted = 0.0


def _is_old(folder: Path) -> bool:
    """Whether it was left unfinished; not where another process has just made a copy of it."""
    try:
        return time.time() - folder.stat().st_mtime > UNFINISHED
    except FileNotFoundError:
        return False


def _used(folder: Path) -> tuple[float, int, str]:
    """When a copy was used last (that of its manifest is noted), its bytes, and its key."""
    last, size = 0.0, 0
    with suppress(OSError), os.scandir(folder) as files:  # another process removes it just now
        for file in files:
            status = file.stat()
            size += status.st_size
            if file.name == MANIFEST:
                last = status.st_mtime
    return last, size, folder.name
