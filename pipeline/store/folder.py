"""A store in a folder, which processes of one machine or of a shared file system use together."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline.store import files
from pipeline.store.array_file import Array
from pipeline.store.keys import Ingredients
from pipeline.store.manifest import (
    MANIFEST,
    Damaged,
    Entry,
    files_under,
    manifest_text,
    of_key,
    read_manifest,
    stored_entry,
)
from pipeline.store.store import Store
from pipeline.store.verified_files import VerifiedFiles, written


class FolderStore(Store):
    """Entries under one folder.

    An entry is a folder named by its key. It is filled under another name and then moved into place
    as a whole.

    Parameters
    ----------
    root : folder; made when the first entry is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        super().__init__(str(self.root))
        self._files = VerifiedFiles()

    def make(self) -> None:
        """See Store."""
        self.root.mkdir(parents=True, exist_ok=True)

    @property
    def is_made(self) -> bool:
        """See Store."""
        return self.root.is_dir()

    def holds(self, key: str) -> bool:
        """See Store."""
        return (self.folder(key) / MANIFEST).is_file()

    def manifest(self, key: str) -> dict[str, Any]:
        """See Store."""
        return of_key(read_manifest(self.folder(key)), key)

    def read(self, key: str) -> Entry:
        """See Store."""
        manifest, folder = self.manifest(key), self.folder(key)
        arrays = {
            name: self._files.read(folder, about) for name, about in manifest["files"].items()
        }
        return stored_entry(manifest, arrays)

    def is_unchanged(self, key: str, seal: str, *, with_arrays: bool = True) -> bool:
        """See Store. No manifest is put into canonical JSON, and no array opened."""
        folder = self.folder(key)
        try:
            files = files_under(seal, (folder / MANIFEST).read_bytes())
            if files is None:
                return False
            if with_arrays:
                for about in files.values():
                    self._files.verify(folder / about["file"], about)
        except (OSError, Damaged):
            return False
        if with_arrays:
            self._touch(key)
            self.used[key] = seal
        return True

    def array(self, key: str, name: str) -> Array:
        """See Store."""
        manifest = self.manifest(key)
        if name not in manifest["files"]:
            raise Damaged(f"it has no array {name}")
        return self._files.read(self.folder(key), manifest["files"][name])

    def all_keys(self) -> list[str]:
        """See Store."""
        return [folder.name for folder in self.entries()]

    def manifests_at_hand(self) -> Iterator[dict[str, Any]]:
        """See Store."""
        for folder in self.entries():
            try:
                yield read_manifest(folder)
            except Damaged:
                continue

    def idle_days(self, key: str) -> float:
        """See Store."""
        return (time.time() - (self.folder(key) / MANIFEST).stat().st_mtime) / 86400

    def remove(self, key: str, is_stale: Callable[[str], bool]) -> bool:
        """See Store."""
        return self._removed(self.folder(key), lambda: is_stale(key))

    def leftovers(self) -> dict[str, int]:
        """See Store. What somebody is at work on is among them, and stays."""
        return {folder.name: _size(folder) for folder in self._partial()}

    def clear_leftovers(self) -> list[str]:
        """See Store."""
        return [folder.name for folder in self._partial() if self._removed(folder, folder.exists)]

    def _partial(self) -> list[Path]:
        """Folders that a writer may have left; what else lies there is nobody's of ours."""
        return sorted(path for path in (self.root / "partial").glob("*") if path.is_dir())

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """See Store. The system releases it when its holder dies."""
        # it imports asyncio, and a run whose results are all stored locks nothing
        from filelock import FileLock

        with FileLock(self._lock_file(key)):
            yield

    @contextmanager
    def scratch(self, key: str) -> Iterator[Path]:
        """See Store. It lies on the store's disk; hold the key's lock."""
        folder = self.root / "partial" / f"{key}.{uuid.uuid4().hex}"
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def folder(self, key: str) -> Path:
        """Where the entry of a key lies, or would lie."""
        return self.root / "entries" / key[:2] / key

    def note(self, group: str, key: str) -> None:
        """See Store."""
        folder = self._group(group)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / key).touch()

    def noted(self, group: str) -> list[str]:
        """See Store."""
        folder = self._group(group)
        return sorted(path.name for path in folder.glob("*")) if folder.is_dir() else []

    def groups(self) -> dict[str, list[str]]:
        """See Store."""
        folders = (self.root / "groups").glob("??/*")
        return {folder.name: self.noted(folder.name) for folder in folders}

    def forget(self, group: str, key: str) -> None:
        """See Store."""
        (self._group(group) / key).unlink(missing_ok=True)

    def _group(self, group: str) -> Path:
        return self.root / "groups" / group[:2] / group

    def entries(self) -> list[Path]:
        """Folders of all entries, sound or not."""
        return sorted(path for path in (self.root / "entries").glob("??/*") if path.is_dir())

    def _lock_file(self, key: str) -> Path:
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{key}.lock"

    def _save(self, key: str, ingredients: Ingredients, entry: Entry, seconds: float) -> None:
        """See Store."""
        with self.scratch(key) as partial:
            about = {name: written(partial, name, array) for name, array in entry.arrays.items()}
            text = manifest_text(key, ingredients, entry, seconds, about)
            files.write_text(partial / MANIFEST, text)
            files.sync_folder(partial)
            folder = self.folder(key)
            folder.parent.mkdir(parents=True, exist_ok=True)
            partial.rename(folder)
            files.sync_folder(folder.parent)

    def _discard(self, key: str) -> bool:
        """See Store."""
        folder = self.folder(key)
        if not folder.exists():
            return False
        self._clear(folder)
        return True

    def _touch(self, key: str) -> None:
        """See Store."""
        files.touch(self.folder(key) / MANIFEST)

    def _removed(self, folder: Path, is_stale: Callable[[], bool]) -> bool:
        """Remove a stale folder, unless somebody is at work on its key (and holds the lock)."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self._lock_file(folder.name.split(".")[0]), timeout=0):
                if not is_stale():
                    return False
                self._clear(folder)
        except Timeout:
            return False
        return True

    def _clear(self, folder: Path) -> None:
        """Remove a folder: first from where it counts, so that no half of an entry is ever there.

        Where a disk is so full that it cannot be moved, it goes file by file.
        """
        moved = self.root / "partial" / f"{folder.name.split('.')[0]}.{uuid.uuid4().hex}"
        with suppress(OSError):
            folder = folder.rename(moved)
        shutil.rmtree(folder)


def _size(folder: Path) -> int:
    """Bytes of the files below a folder, as far as they are still there."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            size += path.lstat().st_size
    return size
