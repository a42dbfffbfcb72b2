"""What an encoder's `identity` is made of: versions of libraries and digests of weights."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from features.machine.facts import cached_fact

LARGE = 2**20  # bytes from which on asking the cache takes less time than reading the file
# Seconds since its last change after which a file's times tell any other: clocks tick, and differ.
SETTLED = 60.0


def versions(*distributions: str) -> dict[str, str]:
    """Installed versions by distribution name, from the metadata of packages, without an import.

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        For a distribution that is not installed.
    """
    return {name: _version(name) for name in distributions}


@lru_cache(maxsize=256)
def _version(distribution: str) -> str:
    return version(distribution)


def file_digest(path: Path) -> str:
    """Sha256 of a file's bytes.

    Cached (see `features.machine.facts`) until the file's size, times or inode change. A small file
    is read each time, and so is one that has changed just now: a second change within the same tick
    of the clock would leave no trace. When it changed tells the system (on POSIX), not whoever
    wrote it.
    """
    status = path.stat()
    changed = status.st_ctime if os.name == "posix" else status.st_mtime
    if status.st_size < LARGE or time.time() - changed < SETTLED:
        return content_digest(path)
    question = {
        "question": "sha256 of a file",
        "file": str(path.absolute()),
        "size": status.st_size,
        "modified": status.st_mtime_ns,
        "changed": status.st_ctime_ns,
        "inode": status.st_ino,
    }
    return cached_fact(question, "sha256", lambda: content_digest(path), _digest)


def _digest(value: object) -> str:
    if not isinstance(value, str) or len(value) != 64:
        raise ValueError(f"{str(value)[:50]!r} is no sha256")
    return value


def content_digest(path: Path) -> str:
    """Sha256 of a file's bytes, read now."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digest(folder: Path, suffixes: Iterable[str]) -> str:
    """Sha256 over names and contents of the files under `folder` with one of `suffixes`."""
    endings = frozenset(suffixes)
    files = sorted(path for path in folder.rglob("*") if path.suffix in endings and path.is_file())
    lines = (f"{path.relative_to(folder).as_posix()}\0{file_digest(path)}\n" for path in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
