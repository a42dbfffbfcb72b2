"""Files on disk: flushed, hashed, and marked as used."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# Errors that whatever is written next would have, too.
FULL = {
    errno.ENOSPC: "no space is left on",
    errno.EDQUOT: "the quota is used up of",
    errno.EFBIG: "a file is larger than is allowed (see ulimit -f) on",
}
REFUSED = {
    errno.EROFS: "nothing can be written to",
    errno.EACCES: "nothing may be written to",
    errno.EPERM: "nothing may be written to",
}


class NoRoom(OSError):
    """Nothing more can be written to a folder: no work can be kept, and the run stops."""


@contextmanager
def writing(folder: str | Path, advice: str) -> Iterator[None]:
    """Within, that a disk is full or read-only is told with the folder and what can be done.

    Raises
    ------
    NoRoom
        In place of the system's error, wherever in the causes of an error this stands.
    """
    try:
        yield
    except NoRoom:
        raise
    except Exception as error:
        cause = _of_disk(error, str(folder))
        if cause is None:
            raise
        where = Path(cause.filename).parent if cause.filename else folder
        reason = {**FULL, **REFUSED}[cause.errno or 0]
        raise NoRoom(f"{reason} the disk of {where}{_free(where)}: {advice}") from error


def full(error: BaseException) -> NoRoom | None:
    """A full disk among the causes of an error, if there is any."""
    if isinstance(error, NoRoom):
        return error
    cause = _of_disk(error, "")
    if cause is None:
        return None
    where = f" {Path(cause.filename).parent}" if cause.filename else " the run"
    return NoRoom(f"{FULL[cause.errno or 0]} the disk of{where}: free some there")


def _of_disk(error: BaseException, folder: str) -> OSError | None:
    """The error of the system among the causes of one: of a full disk, or a folder not writable."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            is_there = bool(folder) and str(cause.filename or "").startswith(folder)
            if cause.errno in FULL or (cause.errno in REFUSED and is_there):
                return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _free(folder: str | Path) -> str:
    with suppress(OSError):
        usage = shutil.disk_usage(folder)
        return f" ({usage.free / 1e6:,.0f} of {usage.total / 1e6:,.0f} MB are free)"
    return ""


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
