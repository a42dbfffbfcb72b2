"""Files that are there whole or not at all."""

from __future__ import annotations

import glob
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

MACHINE = socket.gethostname()


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` write a file aside, flush it to the disk and move it into place.

    A reader of `path` sees the earlier file or the whole new one. Where anything fails the earlier
    one stays, and nothing is left beside it.

    Parameters
    ----------
    path : where the file belongs; its folder must be there.
    write : writes the content to the path it is given, which lies in the same folder.

    Raises
    ------
    OSError
        If the file cannot be written or moved; and whatever `write` raises.
    """
    aside = aside_of(path)
    try:
        write(aside)
        with aside.open("r+b") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def aside_of(path: Path) -> Path:
    """Where what is to become a file or folder is written: beside it, under a name of this process.

    What killed processes of this machine left there is removed.
    """
    before = f".{path.name}.unfinished-{MACHINE}-"
    sweep_aside(path.parent, before)
    return path.with_name(f"{before}{os.getpid()}")


def sweep_aside(folder: Path, before: str) -> None:
    """Remove what dead processes left in a folder, under this name and their number."""
    for left in folder.glob(f"{glob.escape(before)}*"):
        if _is_dead(left.name.removeprefix(before)):
            _remove(left)


def _is_dead(owner: str) -> bool:
    """Whether no process has a number, or this one, which begins anew."""
    import psutil  # few runs find anything

    return owner.isdecimal() and (owner == str(os.getpid()) or not psutil.pid_exists(int(owner)))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
