"""What JavaScript made is kept between reports, in a folder that only this user can write.

An earlier report is no such folder: whoever may send one could have put a script of theirs into it,
and a seal inside the file is as easily made as the file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from jinja2 import FileSystemBytecodeCache

MOST = 400  # texts that are kept; those that were not asked for longest go
PREFIX = "modalgrid-"


def remembered(key: str, make: Callable[[], str]) -> str:
    """The text that `make` makes, made once for each key.

    Parameters
    ----------
    key : everything that decides the text.
    """
    folder = private_folder()
    if folder is None:
        return make()
    path = folder / f"{PREFIX}{_sha256(key)}"
    text = _read(path)
    if text is None:
        text = make()
        with suppress(OSError):  # a full disk is no reason to do without
            _write(path, text)
            _forget(folder)
    return text


def private_folder() -> Path | None:
    """A folder of this user's own, as Jinja makes it for its templates; None where there is none.

    On systems with users it belongs to this one, and nobody else may read or write it.
    """
    try:
        return Path(FileSystemBytecodeCache().directory)
    except (OSError, RuntimeError):
        return None


def _read(path: Path) -> str | None:
    """A text that was kept; None where there is none, or it is damaged."""
    try:
        seal, _, text = path.read_bytes().decode("utf-8").partition("\n")
        os.utime(path)
    except (OSError, UnicodeDecodeError):
        return None
    return text if seal == _sha256(text) else None


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(f"{_sha256(text)}\n{text}".encode())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _forget(folder: Path) -> None:
    texts = sorted(folder.glob(f"{PREFIX}*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in texts[MOST:]:
        path.unlink(missing_ok=True)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
