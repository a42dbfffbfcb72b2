"""Files of word vectors, of which only the vectors that are asked for are read."""

from __future__ import annotations

import mmap
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray

LONGEST_LINE = 1 << 20  # of a text file of vectors: beyond that it is something else


WHOLE = re.compile(rb"[+-]?[0-9]+")  # numbers, also those that count nothing


class VectorFile:
    """A word2vec or GloVe file, text or binary, of which only vectors that are asked for are read.

    The file is scanned once for the offsets of its vectors, and memory-mapped: the vectors are
    never all in memory. Formats (the first two are those of Mikolov's word2vec tool, the third is
    GloVe's):

    - text, a first line "words d", then "word x1 ... xd" in each line;
    - binary, the same first line, then "word " and d little-endian float32 for each word;
    - text without the first line.

    Raises
    ------
    ValueError
        For a file in none of these formats, or cut off, naming the line or word.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as stream:
            self._bytes = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        begin = len(BOM_UTF8) if self._bytes[: len(BOM_UTF8)] == BOM_UTF8 else 0
        first = self._line(begin)
        if len(first) == LONGEST_LINE:
            raise ValueError(f"file {path} line 1 has more than {LONGEST_LINE:,} bytes")
        header = first.split()
        if len(header) == 2 and all(map(WHOLE.fullmatch, header)) and not _is_header(header):
            said = first.decode(errors="replace").strip()
            raise ValueError(
                f"file {path} line 1: '{said}' gives numbers of words and dimensions, which must "
                "be whole numbers from 1 on"
            )
        self._start, self._declared = begin, None
        if _is_header(header):
            self._declared, self.width = int(header[0]), int(header[1])
            self._start = begin + len(first) + 1
        else:
            self.width = len(header) - 1
        if self.width < 1 or not (header and (self._declared is not None or _numbers(header[1:]))):
            raise ValueError(
                f"file {path}: its first line is neither 'words dimension' nor a word and its "
                "vector; text or binary word2vec files, GloVe text files, arrays as npz or "
                "safetensors and gensim KeyedVectors are read"
            )
        self._binary = self._declared is not None and not self._is_text()
        self.rows: dict[str, int] = {}
        self._offsets: list[int] = []
        (self._scan_binary if self._binary else self._scan_text)()

    def _line(self, start: int) -> bytes:
        end = self._bytes.find(b"\n", start, start + LONGEST_LINE)
        return self._bytes[start:end if end >= 0 else min(len(self._bytes), start + LONGEST_LINE)]

    def _is_text(self) -> bool:
        parts = self._line(self._start).split()
        return len(parts) == self.width + 1 and _numbers(parts[1:])

    def _add(self, word: bytes, offset: int) -> None:
        # The first of two equal words counts, as in gensim.
        self.rows.setdefault(word.decode("utf-8", "replace"), len(self._offsets))
        self._offsets.append(offset)

    def _scan_text(self) -> None:
        position, number = self._start, int(self._declared is not None)
        while position < len(self._bytes):
            number += 1
            end = self._bytes.find(b"\n", position)
            end = len(self._bytes) if end < 0 else end
            line = self._bytes[position:end].rstrip()
            if line:
                # A few GloVe words hold blanks: the last d parts are the vector.
                parts = line.rsplit(None, self.width)
                if len(parts) != self.width + 1:
                    raise ValueError(
                        f"file {self.path} line {number}: {len(parts) - 1} numbers after the word, "
                        f"not {self.width}"
                    )
                self._add(parts[0], position + len(parts[0]) + 1)
            position = end + 1
        self._check_number()

    def _scan_binary(self) -> None:
        position = self._start
        while len(self._offsets) < (self._declared or 0):
            blank = self._bytes.find(b" ", position, position + LONGEST_LINE)
            if blank < 0 or blank + 1 + 4 * self.width > len(self._bytes):
                break
            self._add(self._bytes[position:blank].lstrip(b"\n"), blank + 1)
            position = blank + 1 + 4 * self.width
        self._check_number()

    def _check_number(self) -> None:
        if self._declared is not None and len(self._offsets) != self._declared:
            raise ValueError(
                f"file {self.path} is cut off: its first line says {self._declared} words, it "
                f"holds {len(self._offsets)}"
            )

    def take(self, rows: NDArray[np.int64]) -> FloatArray:
        """Vectors of the words numbered `rows`, float32 (r, d).

        Raises ValueError for a word whose vector has nan or infinite numbers.
        """
        vectors = np.empty((len(rows), self.width), dtype=np.float32)
        for position, row in enumerate(rows):
            vectors[position] = self._vector(self._offsets[row])
        check_finite(vectors, rows, self.rows, self.path)
        return vectors

    def _vector(self, offset: int) -> FloatArray:
        if self._binary:
            return np.frombuffer(self._bytes, dtype="<f4", count=self.width, offset=offset)
        try:
            numbers = _as_numbers(self._line(offset).split())
            if len(numbers) != self.width:
                raise ValueError(f"there are {len(numbers)}")
        except ValueError as error:
            raise ValueError(
                f"file {self.path} byte {offset}: not {self.width} numbers: {error}"
            ) from error
        return numbers


def check_finite(
    vectors: FloatArray, rows: NDArray[np.int64], words: Mapping[str, int], path: Path
) -> None:
    """Raise ValueError where some of these vectors (r, d) are not finite, naming file and word."""
    wrong = np.unique(rows[~np.isfinite(vectors).all(axis=1)])
    if not len(wrong):
        return
    word = next(word for word, row in words.items() if row == wrong[0])
    others = f", nor are those of {len(wrong) - 1} other words" if len(wrong) > 1 else ""
    raise ValueError(
        f"file {path}: the vector of the word {word[:50]!r} is not of finite numbers{others}"
    )


def _is_header(fields: list[bytes]) -> bool:
    """Whether these are how many words there are, and of which dimension."""
    if len(fields) != 2 or not all(part.isdigit() and len(part) < 19 for part in fields):
        return False
    return min(map(int, fields)) > 0


def _numbers(parts: list[bytes]) -> bool:
    try:
        return bool(len(_as_numbers(parts)))
    except ValueError:
        return False


def _as_numbers(parts: list[bytes]) -> FloatArray:
    """Float32 (d,); what is too large for these is infinite."""
    with np.errstate(over="ignore"):
        return np.array(parts, dtype=np.float32)
