"""Checksums of an index's large files, which are compared where these are read.

A file of vectors is summed up as a whole when it is first asked for: a gigabyte takes .15 s, about
what a search of it does (benchmarks/RESULTS.md). Of the table of items the pages are, each by
itself, as the format has it, and here its end, which says where they lie.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray
from pipeline.use.index.spaces import Space
from pipeline.use.problem import BundleError

Read = TypeVar("Read")
AT_ONCE = 2**24  # bytes that are summed up at a time
MAGIC = 8  # bytes at the end of a Parquet file: the length of what is before them, and its name


def checksum(content: NDArray[np.generic]) -> int:
    """CRC-32 of an array that may lie on disk."""
    numbers, total = content.reshape(-1).view(np.uint8), 0
    for start in range(0, len(numbers), AT_ONCE):
        total = zlib.crc32(numbers[start : start + AT_ONCE].data, total)
    return total


def end_of_table(path: Path) -> int:
    """CRC-32 of the part of a Parquet file that says where its pages lie."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MAGIC))
        length = int.from_bytes(file.read(4), "little") + MAGIC
        file.seek(max(0, size - length))
        return zlib.crc32(file.read())


class VerifiedVectors(Mapping[Space, FloatArray]):
    """Vectors (n, k) by space, in files that are compared with their checksums once.

    Parameters
    ----------
    files : opens those of a space.
    checksums : by the names of the files; those that are not there are not compared.
    """

    def __init__(
        self, folder: Path, files: Mapping[Space, Callable[[], FloatArray]],
        checksums: Mapping[str, int],
    ) -> None:
        self._folder, self._files, self._checksums = folder, files, checksums
        self._open: dict[Space, FloatArray] = {}

    def __getitem__(self, space: Space) -> FloatArray:
        """Raises BundleError where a file is another one than was written."""
        if space not in self._open:
            vectors = self._files[space]()
            check_unchanged(self._folder, f"{space.name}.f32", checksum(vectors), self._checksums)
            self._open[space] = vectors
        return self._open[space]

    def __contains__(self, space: object) -> bool:
        """Whether there are such, without opening them."""
        return space in self._files

    def __iter__(self) -> Iterator[Space]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def check_unchanged(folder: Path, name: str, total: int, checksums: Mapping[str, int]) -> None:
    """Raise BundleError where a file has another checksum than when it was written."""
    if checksums.get(name, total) != total:
        raise BundleError(f"{folder} is no index that can be used: its file {name} was changed")
