"""Word vectors as plain arrays: npz and safetensors, neither of which can hold code."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NPZ = b"PK\x03\x04"  # how a zip archive begins
SAFETENSORS = ".safetensors"
# Bytes that a byte of an archive may become: vectors hardly shrink at all.
UNPACKED = 100
FORM = "'words' (n,) and 'vectors' (n, d)"


def read_word_arrays(path: Path) -> tuple[dict[str, int], NDArray[Any]]:
    """Row of each word, and the vectors (words, d).

    The arrays are 'vectors' (n, d), and 'words': texts (n,) in an npz file; in a safetensors file,
    which holds no texts, uint8, the words in UTF-8 with a line feed after each.

    Raises
    ------
    ValueError
        For a damaged file, and one without these arrays.
    """
    try:
        if path.suffix == SAFETENSORS:
            from safetensors.numpy import load_file

            arrays = load_file(path)
            packed = np.asarray(arrays["words"])
            text = packed.astype(np.uint8, casting="no").tobytes().decode()
            return _rows(text.removesuffix("\n").split("\n")), arrays["vectors"]
        with path.open("rb") as file:
            _check_archive(file, path.stat().st_size)
            with np.load(file, allow_pickle=False) as archive:
                return _rows(archive["words"].tolist()), archive["vectors"]
    # Damaged archives raise nearly every kind of exception.
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"file {path} does not hold word vectors as the arrays {FORM}: {reason}"
        ) from error


def _check_archive(file: Any, size: int) -> None:
    with zipfile.ZipFile(file) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    file.seek(0)
    if unpacked > UNPACKED * size:
        raise ValueError(f"its {size} bytes would become {unpacked}")


def _rows(words: object) -> dict[str, int]:
    """Row of each word; of two equal words the first counts."""
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("its 'words' are not texts (n,)")
    rows: dict[str, int] = {}
    for row, word in enumerate(words):
        rows.setdefault(word, row)
    return rows
