"""Names of files on a command line."""

from __future__ import annotations

import argparse
from pathlib import Path


def utf8(text: str) -> str:
    """A name that grids, reports and records can hold.

    Raises
    ------
    argparse.ArgumentTypeError
        Where it is no UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise argparse.ArgumentTypeError(
            f"a name in UTF-8, not {text!a}; rename it or name another"
        ) from error
    return text


def utf8_path(text: str) -> Path:
    """A path of such a name."""
    return Path(utf8(text))
