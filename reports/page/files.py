"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


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
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(aside)
        with aside.open("r+b") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
