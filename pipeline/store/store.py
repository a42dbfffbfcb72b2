"""Content-addressed store of arrays and results.

Keys hold everything that decides a value, and entries are verified when they are read. An entry is
a folder named by its key, with one file per array (`.npy`, or `.npz` for CSR; never pickled) and a
manifest written last. The folder is filled under another name and then moved into place as a whole,
so an interrupted writer leaves nothing that could be taken for a value.

    python -m pipeline.store ls | verify | prune
"""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipeline.store import files
from pipeline.store.keys import Ingredients, canonical, key_of
from pipeline.store.manifest import (
    FORMAT,
    MANIFEST,
    Damaged,
    Entry,
    read_manifest,
    sealed,
)
from pipeline.store.verified_files import VerifiedFiles, written

DEFAULT_STORE = Path("runs") / "store"
logger = logging.getLogger("modalgrid.store")


class Store:
    """Entries under one folder, which any number of processes may share.

    Parameters
    ----------
    root : folder; made when the first entry is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._files = VerifiedFiles()

    def has(self, ingredients: Ingredients) -> bool:
        """Whether an entry is there, without verifying its content."""
        return (self.folder(key_of(ingredients)) / MANIFEST).is_file()

    def seconds(self, ingredients: Ingredients) -> float | None:
        """What computing an entry cost, from its manifest alone; None where it is not there."""
        try:
            return float(read_manifest(self.folder(key_of(ingredients)))["seconds"])
        except Damaged:
            return None

    def size(self, ingredients: Ingredients, array: str) -> int | None:
        """Bytes of an array's file, from the entry's manifest alone; None where it is not there."""
        try:
            return int(read_manifest(self.folder(key_of(ingredients)))["files"][array]["bytes"])
        except (Damaged, KeyError):
            return None

    def load(self, ingredients: Ingredients) -> Entry | None:
        """The entry, verified; None where there is none or it is damaged."""
        return self.at(key_of(ingredients))

    def at(self, key: str) -> Entry | None:
        """The entry of a key, verified; None where there is none or it is damaged."""
        try:
            return self.read(self.folder(key))
        except Damaged:
            return None

    def get(self, ingredients: Ingredients, compute: Callable[[], Entry]) -> Entry:
        """The entry, computed and stored where it is missing; a damaged one is said and replaced.

        Processes that ask for the same entry at once wait for the first: nothing is computed twice.
        """
        stored = self.load(ingredients)
        if stored is not None:
            return stored
        key = key_of(ingredients)
        with self.lock(key):
            stored = self.load(ingredients)
            if stored is not None:
                return stored
            self._discard_damaged(key)
            begun = time.perf_counter()
            computed = compute()
            self._save(key, ingredients, computed, time.perf_counter() - begun)
            stored = self.load(ingredients)
        if stored is None:
            raise OSError(
                f"what was just written to {self.root} cannot be read back: is the disk full or "
                "faulty?"
            )
        return replace(stored, reused=False)

    def _discard_damaged(self, key: str) -> None:
        folder = self.folder(key)
        if folder.exists():
            logger.warning(
                "store entry %s is damaged (%s): it is computed again",
                key[:12],
                self.problem(folder),
            )
            shutil.rmtree(folder)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold a key: other processes wait. Released by the system when the holder dies."""
        # it imports asyncio, and a run whose results are all stored locks nothing
        from filelock import FileLock

        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{key}.lock"):
            yield

    def _save(self, key: str, ingredients: Ingredients, entry: Entry, seconds: float) -> None:
        """Write an entry as a whole, or not at all; the caller holds the key's lock."""
        with self.scratch(key) as partial:
            about = {name: written(partial, name, array) for name, array in entry.arrays.items()}
            manifest = {
                "format": FORMAT, "key": key, "ingredients": ingredients, "files": about,
                "facts": entry.facts, "seconds": seconds, "created": time.time(),
            }
            files.write_text(partial / MANIFEST, sealed(canonical(manifest)))
            files.sync_folder(partial)
            folder = self.folder(key)
            folder.parent.mkdir(parents=True, exist_ok=True)
            partial.rename(folder)
            files.sync_folder(folder.parent)

    @contextmanager
    def scratch(self, key: str) -> Iterator[Path]:
        """An empty folder on the store's disk, removed in the end; hold the key's lock."""
        folder = self.root / "partial" / f"{key}.{uuid.uuid4().hex}"
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def note(self, group: str, key: str) -> None:
        """Note that an entry belongs to a group, by which it is found later."""
        folder = self.root / "groups" / group[:2] / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / key).touch()

    def noted(self, group: str) -> list[str]:
        """Keys of the entries of a group, some of which may have gone."""
        folder = self.root / "groups" / group[:2] / group
        return sorted(path.name for path in folder.glob("*")) if folder.is_dir() else []

    def groups(self) -> dict[str, list[str]]:
        """Keys of the entries of every group."""
        folders = (self.root / "groups").glob("??/*")
        return {folder.name: self.noted(folder.name) for folder in folders}

    def forget(self, group: str, key: str) -> None:
        """Take back that an entry belongs to a group."""
        (self.root / "groups" / group[:2] / group / key).unlink(missing_ok=True)

    def folder(self, key: str) -> Path:
        """Where the entry of a key lies, or would lie."""
        return self.root / "entries" / key[:2] / key

    def read(self, folder: Path, touch: bool = True) -> Entry:
        """The entry in a folder, verified; `touch` notes that it was used.

        Raises
        ------
        Damaged
            Where it is missing, or its files are not what its manifest says.
        """
        manifest = read_manifest(folder)
        if manifest["key"] != folder.name:
            raise Damaged("its manifest belongs to another key")
        arrays = {
            name: self._files.read(folder, about) for name, about in manifest["files"].items()
        }
        if touch:
            files.touch(folder / MANIFEST)
        checksums = {name: str(about["sha256"]) for name, about in manifest["files"].items()}
        return Entry(
            arrays, manifest["facts"], float(manifest["seconds"]), reused=True, checksums=checksums
        )

    def entries(self) -> list[Path]:
        """Folders of all entries, sound or not."""
        return sorted(path for path in (self.root / "entries").glob("??/*") if path.is_dir())

    def problem(self, folder: Path) -> str | None:
        """What is wrong with an entry's folder, if anything; reads what was not read before."""
        try:
            self.read(folder, touch=False)
        except Damaged as error:
            return str(error)
        return None
