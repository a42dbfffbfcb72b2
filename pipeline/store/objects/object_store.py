"""A store in a bucket that any number of machines share.

Its objects are

- `manifests/ab/KEY.json`, written last, by whoever creates it first: without it, no entry;
- `entries/ab/KEY/WRITER-values.npy`, arrays, under names that no other writer uses;
- `groups/ab/GROUP/KEY`, empty;
- `locks/KEY/GENERATION`: see `pipeline.store.objects.locks`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pipeline.store.array_file import Array
from pipeline.store.keys import Ingredients
from pipeline.store.manifest import (
    UNREADABLE,
    Damaged,
    Entry,
    StoredFile,
    manifest_text,
    of_key,
    parsed,
    stored_entry,
)
from pipeline.store.objects.bucket import Bucket, cache_folder
from pipeline.store.objects.groups import Groups
from pipeline.store.objects.leftovers import leftovers
from pipeline.store.objects.local_copies import LocalCopies, bytes_allowed
from pipeline.store.objects.locks import held
from pipeline.store.store import Store
from pipeline.store.verified_files import VerifiedFiles, written

MARKER = "modalgrid-store"
DAY = 86400.0  # seconds
T = TypeVar("T")


class ObjectStore(Store):
    """Entries as objects; what is read of them is copied to a local folder first, and mapped there.

    Which entries a process has seen in the bucket, it remembers: what another one prunes meanwhile
    it goes on taking from its local copy, or computes anew where it has none. Of an entry that was
    damaged and replaced, a sound local copy of the former one is as good.

    Parameters
    ----------
    address : such as s3://bucket/prefix.
    cache : folder of the local copies. By default a folder of its own below MODALGRID_CACHE, or the
        user's cache folder, of MODALGRID_CACHE_BYTES (50 GB) at most.
    """

    def __init__(self, address: str, cache: LocalCopies | None = None) -> None:
        super().__init__(address)
        self.cache = cache or LocalCopies(cache_folder(address), bytes_allowed())
        self._bucket = Bucket(address)
        self._groups = Groups(self._bucket)
        self._files = VerifiedFiles()
        self._seen: set[str] = set()  # keys of entries that were in the bucket
        self._listed: set[str] = set()  # first two letters of keys, all of which were seen

    def make(self) -> None:
        """See Store. Also raises OSError where objects that are there can be created again."""
        first, second = (f"{uuid.uuid4().hex}\n".encode() for _ in range(2))
        if self._bucket.create(MARKER, first) and self._bucket.create(MARKER, second):
            raise OSError(
                f"{self.address} overwrites objects that were only to be created (it ignores "
                "If-None-Match), and so cannot be shared safely"
            )
        self.cache.make()

    @property
    def is_made(self) -> bool:
        """See Store. Raises OSError where the bucket cannot be reached."""
        return next(self._bucket.listed(""), None) is not None

    def holds(self, key: str) -> bool:
        """See Store. Raises OSError where the bucket cannot be reached, as all that follow."""
        if self._has_seen(key):
            return True
        with suppress(FileNotFoundError):
            self._bucket.about(_manifest_path(key))
            self._seen.add(key)
        return key in self._seen

    def manifest(self, key: str) -> dict[str, Any]:
        """See Store."""
        if self._has_seen(key):
            with suppress(Damaged):
                return self.cache.manifest(key)
        return self._fetched_manifest(key)

    def read(self, key: str) -> Entry:
        """See Store."""
        return self._of_manifest(
            key,
            lambda manifest: stored_entry(
                manifest,
                {name: self._array(key, about) for name, about in manifest["files"].items()},
            ),
        )

    def array(self, key: str, name: str) -> Array:
        """See Store. Only this array is copied from the bucket."""

        def of_name(manifest: Mapping[str, Any]) -> Array:
            if name not in manifest["files"]:
                raise Damaged(f"it has no array {name}")
            return self._array(key, manifest["files"][name])

        return self._of_manifest(key, of_name)

    def problem(self, key: str) -> str | None:
        """See Store. The bucket's objects are read, all of them, whatever there is of them here."""
        try:
            manifest = self._fetched_manifest(key)
            with self.cache.scratch(key) as aside:
                arrays = {}
                for name, about in manifest["files"].items():
                    file = self._downloaded(key, about, aside)
                    arrays[name] = self._files.read(aside, about)
                    file.unlink()  # what is mapped of it stays readable
                stored_entry(manifest, arrays)
        except Damaged as error:
            return str(error)
        return None

    def all_keys(self) -> list[str]:
        """See Store."""
        return sorted(_key_of_manifest(path) for path, _, _ in self._bucket.listed("manifests"))

    def manifests_at_hand(self) -> Iterator[dict[str, Any]]:
        """See Store: of entries that were used here and still have a local copy."""
        return self.cache.manifests_at_hand()

    def idle_days(self, key: str) -> float:
        """Days since an entry was written: a bucket does not know when it was read."""
        return (time.time() - self._bucket.about(_manifest_path(key)).written) / DAY

    def remove(self, key: str, is_stale: Callable[[str], bool]) -> bool:
        """See Store."""
        with held(self._bucket, key, wait=False) as is_held:
            return is_held and is_stale(key) and self._discard(key)

    def leftovers(self) -> dict[str, int]:
        """See Store."""
        paths = leftovers(self._bucket, time.time(), DAY)
        return {**dict.fromkeys(paths, 0), **self.cache.leftovers()}

    def clear_leftovers(self) -> list[str]:
        """See Store. What is younger than a day may be that of a writer at work, and stays."""
        paths = list(leftovers(self._bucket, time.time(), DAY))
        for path in paths:
            self._bucket.delete(path)
        return self.cache.clear_leftovers() + paths

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """See Store. A dead holder's is free when it has been silent for `locks.EXPIRES` seconds.

        Processes of one machine wait for each other there.
        """
        with self.cache.lock(key), held(self._bucket, key):
            yield

    @contextmanager
    def scratch(self, key: str) -> Iterator[Path]:
        """See Store. It lies on the disk of the local copies."""
        with self.cache.scratch(key) as folder:
            yield folder

    def note(self, group: str, key: str) -> None:
        """See Store."""
        self._groups.note(group, key)

    def noted(self, group: str) -> list[str]:
        """See Store."""
        return self._groups.noted(group)

    def groups(self) -> dict[str, list[str]]:
        """See Store."""
        return self._groups.all()

    def forget(self, group: str, key: str) -> None:
        """See Store."""
        self._groups.forget(group, key)

    def _has_seen(self, key: str) -> bool:
        """Whether an entry was in the bucket; its neighbours are listed with it, once."""
        if key[:2] not in self._listed:
            listed = self._bucket.listed(f"manifests/{key[:2]}")
            self._seen.update(_key_of_manifest(path) for path, _, _ in listed)
            self._listed.add(key[:2])
        return key in self._seen

    def _fetched_manifest(self, key: str) -> dict[str, Any]:
        """The manifest as it is in the bucket now, copied here. Raises Damaged."""
        try:
            content = self._bucket.read(_manifest_path(key))
        except FileNotFoundError as error:
            self._seen.discard(key)
            raise Damaged(UNREADABLE) from error
        self._seen.add(key)
        manifest = of_key(parsed(content), key)
        self.cache.keep_manifest(key, content)
        return manifest

    def _of_manifest(self, key: str, take: Callable[[Mapping[str, Any]], T]) -> T:
        """What is taken of an entry; by the bucket's manifest where the copied one is outdated."""
        manifest = self.manifest(key)
        try:
            return take(manifest)
        except Damaged:
            fresh = self._fetched_manifest(key)
            if fresh == manifest:
                raise
            return take(fresh)

    def _array(self, key: str, about: StoredFile) -> Array:
        """An array from its local copy, which is made where it is missing or damaged.

        It is open before its file is moved: whoever makes room next may take it away.
        """
        with suppress(Damaged):
            return self._files.read(self.cache.folder(key), about)
        with self.cache.scratch(key) as aside:
            file = self._downloaded(key, about, aside)
            array = self._files.read(aside, about)
            copy = self.cache.take(key, file)
            if copy is not None:
                self._files.moved(file, copy)
        return array

    def _downloaded(self, key: str, about: StoredFile, aside: Path) -> Path:
        """A file of an entry from the bucket, verified, in the folder `aside`. Raises Damaged."""
        name = about["file"]
        try:
            self._bucket.fetch(f"{_entry_path(key)}/{name}", about["bytes"], aside / name)
        except FileNotFoundError as error:
            raise Damaged(f"{name} is missing") from error
        self._files.verify(aside / name, about)
        return aside / name

    def _save(self, key: str, ingredients: Ingredients, entry: Entry, seconds: float) -> None:
        """See Store. An entry that another has written meanwhile stays, and this one goes."""
        writer = uuid.uuid4().hex
        with self.cache.scratch(key) as aside:
            about = {
                name: written(aside, f"{writer}-{name}", array)
                for name, array in entry.arrays.items()
            }
            arrays = [aside / file["file"] for file in about.values()]
            for file in arrays:
                self._bucket.put(f"{_entry_path(key)}/{file.name}", file)
            manifest = manifest_text(key, ingredients, entry, seconds, about).encode()
            if not self._bucket.create(_manifest_path(key), manifest):
                for file in arrays:
                    self._bucket.delete(f"{_entry_path(key)}/{file.name}")
                return
            self.cache.keep_manifest(key, manifest)
            for file in arrays:
                self.cache.take(key, file)
            self._seen.add(key)

    def _discard(self, key: str) -> bool:
        """See Store."""
        self.cache.drop(key)
        self._seen.discard(key)
        try:
            content = self._bucket.read(_manifest_path(key))
        except FileNotFoundError:
            return False
        self._bucket.delete(_manifest_path(key))
        with suppress(Damaged):  # then nothing says which arrays it had: they are leftovers
            for about in parsed(content)["files"].values():
                self._bucket.delete(f"{_entry_path(key)}/{about['file']}")
        return True

    def _touch(self, key: str) -> None:
        """See Store. Only the local copy has a time of last use."""
        self.cache._touch(key)


def _manifest_path(key: str) -> str:
    return f"manifests/{key[:2]}/{key}.json"


def _key_of_manifest(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".json")


def _entry_path(key: str) -> str:
    return f"entries/{key[:2]}/{key}"
