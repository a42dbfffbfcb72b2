"""Files on disk: flushed, hashed, and marked as used."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO


def flush(file: BinaryIO) -> None:
    """Make sure that what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Write a text file, flushed."""
    with path.open("wb") as file:
        file.write(text.encode())
        flush(file)


def sync_folder(folder: Path) -> None:
    """Make sure that a folder's list of files is on the disk, where the system can do that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sha256(path: Path) -> str:
    """Checksum of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def touch(path: Path) -> None:
    """Note that a file was used now."""
    try:
        os.utime(path)
    except OSError:  # a store shared read-only has no times of last use
        return
