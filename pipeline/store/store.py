"""Content-addressed store of arrays and results: the contract of a folder and of a bucket.

Keys hold everything that decides a value, and entries are verified when they are read. An entry has
one file per array (`.npy`, or `.npz` for CSR; never pickled) and a manifest written last: without
it there is no entry, so that an interrupted writer leaves nothing that could be taken for a value.

    python -m pipeline.store ls | verify | prune
"""

from __future__ import annotations

import logging
import shlex
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.program.names import called
from pipeline.store.array_file import Array
from pipeline.store.files import writing
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Damaged, Entry

logger = logging.getLogger("modalgrid.store")


class Store(ABC):
    """Entries by key, which any number of processes may share.

    Parameters
    ----------
    address : what opens it in another process: see `pipeline.store.opening.store_at`.

    Attributes
    ----------
    used : seals of the entries that were read here, or put here, by key.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.used: dict[str, str] = {}

    @abstractmethod
    def make(self) -> None:
        """Make sure that it can be written to. Raises OSError where it cannot."""

    @property
    @abstractmethod
    def is_made(self) -> bool:
        """Whether it is there."""

    # Entries

    @abstractmethod
    def holds(self, key: str) -> bool:
        """Whether the entry of a key is there, without verifying its content."""

    @abstractmethod
    def manifest(self, key: str) -> dict[str, Any]:
        """What the manifest of a key's entry says. Raises Damaged without a sound one."""

    @abstractmethod
    def read(self, key: str) -> Entry:
        """The entry of a key, verified.

        Raises
        ------
        Damaged
            Where it is missing, or its files are not what its manifest says.
        """

    @abstractmethod
    def array(self, key: str, name: str) -> Array:
        """One array of an entry, verified; its others are not looked at. Raises Damaged."""

    @abstractmethod
    def all_keys(self) -> list[str]:
        """Keys of all entries, sound or not."""

    @abstractmethod
    def manifests_at_hand(self) -> Iterator[dict[str, Any]]:
        """Sound manifests that can be read at once: of all entries, or of those used here."""

    @abstractmethod
    def idle_days(self, key: str) -> float:
        """Days since an entry was used, as far as the store knows."""

    @abstractmethod
    def remove(self, key: str, is_stale: Callable[[str], bool]) -> bool:
        """Remove a stale entry, unless somebody is at work on its key; whether it was removed."""

    @abstractmethod
    def leftovers(self) -> dict[str, int]:
        """Bytes of what interrupted writers left, by what it is called; 0 where nobody knows."""

    @abstractmethod
    def clear_leftovers(self) -> list[str]:
        """Remove what interrupted writers left; what it was called."""

    @abstractmethod
    def lock(self, key: str) -> AbstractContextManager[None]:
        """Hold a key: other processes wait. It is free again when the holder dies."""

    @abstractmethod
    def scratch(self, key: str) -> AbstractContextManager[Path]:
        """An empty folder for files that are to become an entry, removed in the end."""

    @abstractmethod
    def _save(self, key: str, ingredients: Ingredients, entry: Entry, seconds: float) -> None:
        """Write an entry as a whole, or not at all; the caller holds the key's lock."""

    @abstractmethod
    def _discard(self, key: str) -> bool:
        """Remove an entry, sound or not; whether there was one. The caller holds its lock."""

    @abstractmethod
    def _touch(self, key: str) -> None:
        """Note that an entry was used now, where that can be noted."""

    # Groups

    @abstractmethod
    def note(self, group: str, key: str) -> None:
        """Note that an entry belongs to a group, by which it is found later."""

    @abstractmethod
    def noted(self, group: str) -> list[str]:
        """Keys of the entries of a group, some of which may have gone."""

    @abstractmethod
    def groups(self) -> dict[str, list[str]]:
        """Keys of the entries of every group."""

    @abstractmethod
    def forget(self, group: str, key: str) -> None:
        """Take back that an entry belongs to a group."""

    # What all stores have in common

    def _advice(self) -> str:
        """What whoever finds its disk full can do."""
        return (
            f"free some there ({called('store')} --store {shlex.quote(self.address)} prune "
            "--unused-days 30 removes what was not used for so long), or say --store for another"
        )

    def has(self, ingredients: Ingredients) -> bool:
        """Whether an entry is there, without verifying its content."""
        return self.holds(key_of(ingredients))

    def at(self, key: str) -> Entry | None:
        """The entry of a key, verified; None where there is none or it is damaged."""
        try:
            entry = self.read(key)
        except Damaged:
            return None
        self._touch(key)
        self.used[key] = entry.seal
        return entry

    def is_unchanged(self, key: str, seal: str, *, with_arrays: bool = True) -> bool:
        """Whether the entry of a key is there, sound, and the very one whose seal was noted.

        Parameters
        ----------
        with_arrays : whether its arrays are looked at, and it counts as used.
        """
        if not with_arrays:
            manifest = self.manifest_at(key)
            return manifest is not None and manifest["sha256"] == seal
        return self.at(key) is not None and self.used[key] == seal

    def load(self, ingredients: Ingredients) -> Entry | None:
        """The entry, verified; None where there is none or it is damaged."""
        return self.at(key_of(ingredients))

    def manifest_at(self, key: str) -> dict[str, Any] | None:
        """What the manifest of a key's entry says; None without a sound one."""
        try:
            return self.manifest(key)
        except Damaged:
            return None

    def problem(self, key: str) -> str | None:
        """What is wrong with an entry, if anything; reads what was not read before."""
        try:
            self.read(key)
        except Damaged as error:
            return str(error)
        return None

    def get(
        self,
        ingredients: Ingredients,
        compute: Callable[[], Entry],
        usable: Callable[[Entry], bool] = lambda entry: True,
    ) -> Entry:
        """The entry, computed and stored where it is missing; a damaged one is said and replaced.

        Processes that ask for the same entry at once wait for the first: nothing is computed twice.

        Parameters
        ----------
        usable : whether an entry that is there may be used; one that may not is replaced.
        """
        stored = self.load(ingredients)
        if stored is not None and usable(stored):
            return stored
        key = key_of(ingredients)
        with writing(self.address, self._advice()), self.lock(key):
            stored = self.load(ingredients)
            if stored is not None and usable(stored):
                return stored
            problem = self.problem(key)
            if self._discard(key) and problem is not None:
                logger.warning(
                    "store entry %s is damaged (%s): it is computed again", key[:12], problem
                )
            begun = time.perf_counter()
            computed = compute()
            self._save(key, ingredients, computed, time.perf_counter() - begun)
            stored = self.load(ingredients)
        if stored is None:
            raise OSError(
                f"what was just written to {self.address} cannot be read back: is the disk full or "
                "faulty?"
            )
        return replace(stored, reused=False)
