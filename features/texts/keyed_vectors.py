"""gensim's saved KeyedVectors, read without gensim and without running anything they name.

A pickle is a program: it names functions and says what to call them with. Here every name stands
for something of ours that only holds what it is given, and any other name is refused.
"""

from __future__ import annotations

import math
import mmap
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What gensim's vectors and whole models name, beside arrays.
HELD = {
    "gensim.models.keyedvectors": {
        "KeyedVectors", "Word2VecKeyedVectors", "WordEmbeddingsKeyedVectors", "BaseKeyedVectors",
        "EuclideanKeyedVectors", "FastTextKeyedVectors", "Vocab", "SimpleVocab", "CompatVocab",
    },
    "gensim.models.word2vec": {
        "Word2Vec", "Word2VecVocab", "Word2VecTrainables", "Vocab", "Heapitem",
    },
    "gensim.models.fasttext": {
        "FastText", "FastTextKeyedVectors", "FastTextVocab", "FastTextTrainables",
    },
    "gensim.utils": {"call_on_class_only"},
    "builtins": {"frozenset", "hash", "int", "set"},
    "__builtin__": {"frozenset", "hash", "int", "set"},
    "numpy.random": {"__RandomState_ctor"},
    "numpy.random._pickle": {"__randomstate_ctor", "__bit_generator_ctor"},
    "numpy.random._mt19937": {"MT19937"},
}
NUMBERS = re.compile(r"[<>=|][fiub][1248]")  # dtypes whose bytes are read
AS_TEXT = (
    "gensim can write them as a plain file: KeyedVectors.load('FILE').save_word2vec_format("
    "'vectors.bin', binary=True), with FastText.load('FILE').wv where FILE is a whole model"
)


def is_pickle(start: bytes) -> bool:
    """Whether a file that begins so is a pickle as gensim writes them: protocol 2 or later."""
    return start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5")


def read_keyed_vectors(path: Path) -> tuple[dict[str, int], NDArray[Any]]:
    """Row of each word, and the vectors (words, d) of a KeyedVectors file or a whole model's.

    A large array lies in a file beside it, and stays there.

    Raises
    ------
    ValueError
        For a pickle of anything else, one that names what these need not name, and a damaged one.
    """
    held = _unpickled(path)
    name = path.name
    if isinstance(held.attributes.get("wv"), _Held):  # a whole model rather than its vectors
        held, name = held.attributes["wv"], f"{name}.wv"
    try:
        return _rows(held), _vectors(held, path.with_name(f"{name}.vectors.npy"))
    # A pickle may hold anything in place of words and numbers.
    except Exception as error:
        raise ValueError(f"file {path} holds no word vectors that can be read: {error}") from error


def _unpickled(path: Path) -> _Held:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        try:
            held = _Unpickler(stream, encoding="latin1").load()
        # Damaged pickles raise nearly every kind of exception.
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise ValueError(
                f"file {path} is a pickle that is not read: {reason}. Of pickles, gensim's "
                f"KeyedVectors alone are read, and nothing that could run code; {AS_TEXT}"
            ) from error
    if not isinstance(held, _Held):
        raise ValueError(
            f"file {path} is a pickle of something else than gensim's KeyedVectors; {AS_TEXT}"
        )
    return held


def _rows(held: _Held) -> dict[str, int]:
    """Row of each word, as the versions of gensim name them."""
    rows = held.attributes.get("key_to_index")
    if rows is None and isinstance(held.attributes.get("vocab"), dict):
        rows = {
            word: about.attributes.get("index") if isinstance(about, _Held) else None
            for word, about in held.attributes["vocab"].items()
        }
    words = held.attributes.get("index_to_key", held.attributes.get("index2word"))
    if rows is None and isinstance(words, list):
        rows = {word: row for row, word in enumerate(words)}
    if not isinstance(rows, dict):
        raise ValueError(f"its {type(held).__name__} names no words")
    if not all(isinstance(word, str) and type(row) is int for word, row in rows.items()):
        raise ValueError("its words are not all texts with a row each")
    return rows


def _vectors(held: _Held, beside: Path) -> NDArray[Any]:
    stored = held.attributes.get("vectors", held.attributes.get("syn0"))
    if isinstance(stored, _Array):
        return stored.values()
    if beside.is_file():
        apart: NDArray[Any] = np.load(beside, mmap_mode="r", allow_pickle=False)
        return apart
    raise ValueError(
        f"its {type(held).__name__} has no vectors of whole words, nor is there {beside.name}; "
        f"{AS_TEXT}"
    )


class _Held:
    """What a pickle says of an object: its attributes, and nothing that can be done with it."""

    attributes: dict[str, Any]

    def __new__(cls, *_: object) -> _Held:
        held = object.__new__(cls)
        held.attributes = {}
        return held

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.attributes = state


class _Kind:
    """A dtype of numpy."""

    def __init__(self, code: object = "", *_: object) -> None:
        self._code, self._order = str(code), "|"

    def __setstate__(self, state: Any) -> None:
        self._order = str(state[1])

    def dtype(self) -> np.dtype[Any]:
        text = self._order + self._code
        if not NUMBERS.fullmatch(text):
            raise ValueError(f"an array of the kind {text[:20]!r} is none of numbers")
        return np.dtype(text)


class _Array:
    """An array of numpy: how it is laid out, and its bytes."""

    def __init__(self, *_: object) -> None:
        self._layout: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, is_fortran, content = state
        self._layout = shape, kind, "F" if is_fortran else "C", content

    @classmethod
    def of_buffer(cls, content: object, kind: object, shape: object, order: object) -> _Array:
        array = cls()
        array._layout = shape, kind, order, content
        return array

    def values(self) -> NDArray[Any]:
        """Its numbers. Raises ValueError where the bytes do not make them up."""
        if self._layout is None:
            raise ValueError("an array in it is empty")
        shape, kind, order, content = self._layout
        if not (isinstance(kind, _Kind) and isinstance(content, bytes | bytearray)):
            raise ValueError("an array in it holds something else than numbers")
        sizes = tuple(int(size) for size in shape)
        dtype = kind.dtype()
        if min(sizes, default=0) < 0 or math.prod(sizes) * dtype.itemsize != len(content):
            raise ValueError(f"an array in it of shape {sizes} has {len(content)} bytes")
        return np.frombuffer(content, dtype).reshape(sizes, order="F" if order == "F" else "C")


def _scalar(kind: _Kind, content: bytes) -> Any:
    return np.frombuffer(content, kind.dtype())[0].item()


def _bytes_of(text: str, encoding: str) -> bytes:
    """How protocol 2 writes bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError("its bytes are written in an unusual way")
    return text.encode("latin-1")


class _Maker:
    """Calls a function of ours, and cannot be changed by what a pickle says of it."""

    __slots__ = ("_make",)
    _make: Callable[..., Any]

    def __init__(self, make: Callable[..., Any]) -> None:
        object.__setattr__(self, "_make", make)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)


MADE: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _Kind,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _Array.of_buffer,
    ("_codecs", "encode"): _bytes_of,
    ("collections", "defaultdict"): lambda *_: {},
}


# Python's own, slower by a second in 600,000 words: the one in C sets aside as much memory as a
# damaged byte says.
class _Unpickler(pickle._Unpickler):
    """Gives what stands for the names above, and refuses all others."""

    def find_class(self, module: str, name: str) -> Any:
        """See pickle.Unpickler."""
        make = MADE.get((module.replace("numpy._core", "numpy.core"), name))
        if make is not None:
            return _Maker(make)
        if name in HELD.get(module, ()):
            return type(name, (_Held,), {})  # a new one: it may be changed, and is gone afterwards
        raise pickle.UnpicklingError(f"it names {f'{module}.{name}'[:100]!r}")
