"""Files that tables and grids name: read where they are files, whatever else they are called."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def read_regular(path: Path) -> bytes:
    """The bytes of a file.

    Raises
    ------
    OSError
        Where it cannot be read, or is a folder, a pipe or a device: these have no end, or none yet.
    """
    with open_regular(path) as file:
        return file.read()


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read its bytes; see `read_regular`."""
    check_name(path)
    return open(path, "rb", opener=_without_waiting)


def check_regular(path: Path) -> None:
    """Raise OSError where a path is not that of a file; see `read_regular`."""
    check_name(path)
    os.close(_without_waiting(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)))


def check_name(path: Path) -> None:
    """Raise OSError where no file can be called so."""
    if "\0" in str(path):
        raise OSError(errno.ENOENT, "no file has a zero character in its name", str(path))


def is_outside(path: str, folder: Path) -> bool:
    """Whether a path that counts from a folder leads out of it; links are taken as they are."""
    # without `..` that leads out and back in; `resolve` would follow links, and ask for each part
    named = os.path.abspath(folder / path)  # noqa: PTH100
    return not Path(named).is_relative_to(os.path.abspath(folder))  # noqa: PTH100


def _without_waiting(path: str | Path, flags: int) -> int:
    """Open a file as `open` does, but do not wait for the other end of a pipe."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    return descriptor
