"""The text of tables: UTF-8, whoever reads them."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

from pipeline.data.reading.regular_files import read_regular
from pipeline.data.samples import SourceError


def utf8_file(file: Path) -> bytes:
    """The bytes of a file; see `utf8`. Raises OSError where it cannot be read."""
    return utf8(read_regular(file), str(file))


def utf8(content: bytes, name: str) -> bytes:
    """The bytes without a byte order mark.

    Parameters
    ----------
    name : of the file, for messages.

    Raises
    ------
    SourceError
        Where they are no UTF-8, with the line.
    """
    content = content.removeprefix(BOM_UTF8)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceError([f"{name} line {line}: must be UTF-8 text, and byte "
                           f"0x{content[error.start]:02x} is not; save it as UTF-8"]) from error
    return content
