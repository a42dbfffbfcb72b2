"""Word2Vec: texts as the vectors of their words, trained on the texts or taken from elsewhere."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import scipy
from pydantic import Field

from features.advance import advance
from features.block import Block, Form, IntArray, Modality
from features.encoder import Encoder
from features.machine.identity import file_digest, versions
from features.texts.corpus import Corpus, sums_of_texts
from features.texts.languages import Language
from features.texts.recent_words import RECENT_WORDS
from features.texts.tokenizer import StopWords, Tokenizer, segmenting
from features.texts.weighting import Aggregation, Weighting, averages, learned
from features.texts.word_vectors import (
    GLOVE_PACKAGE,
    Lookup,
    WordVectors,
    file_parts,
    from_file,
    glove,
    glove_files,
)
from features.texts.writing_systems import foreign_remark, unsplit_remark

# Words that a training reads by default, counted in every pass. By accuracy on other texts: after
# 3 passes over 1.25 million words .737, after 20, in seven times the time, .709; over 312,000 words
# .720 after 10 and .713 after 20; over 62,000 .613 after 20 and .620 after 40, in twice the time
# (benchmarks.word2vec).
TRAINED_WORDS, MOST_PASSES = 4_000_000, 20
# Noise words for each pair of words: as good as five, in half the time (benchmarks.word2vec).
NEGATIVES = 2
# They are drawn among so many of the most frequent words, whose rows stay in the processor's cache,
# in up to so many passes: as good as drawn among all, in .56 of the time. By accuracy, more passes
# want all: after 13 of them .712 and .701, after 20 .710 and .683 (benchmarks.word2vec).
NOISE_WORDS, FEW_PASSES = 4096, 8


@dataclass(kw_only=True, eq=False, repr=False)
class Word2Vec(Encoder):
    """A text's word vectors, averaged, or all of them in order (Mikolov et al., 2013).

    Unknown words are skipped. A text without any known word is a zero vector; as a sequence, one
    zero token, so that every text present has something to attend to.

    Parameters
    ----------
    vectors : "train" learns vectors from the training texts (so it must see these only);
        "glove-6b-50d" are GloVe vectors of 400,000 English words (Pennington et al., 2014; by pip,
        no network needed); "file" are those in `file`.
    file : word vectors, memory-mapped where they can be: a text or binary word2vec file, a GloVe
        text file, arrays as npz or safetensors (see features.texts.word_arrays), or gensim
        KeyedVectors, of which nothing is run (see features.texts.keyed_vectors).
    aggregation : "mean"; "tfidf_weighted", the mean weighted by how rare a word is in the training
        texts; "sif", smooth inverse frequency (see features.texts.weighting). All but the mean
        learn from the training texts.
    size, window, min_count : of the training: length of the vectors, words to either side that
        count as context, and how often a word must occur.
    epochs : passes over the texts; None for as many as train on about TRAINED_WORDS words, 20 at
        most.
    algorithm : of the training: "skip_gram" predicts the context from the word, "cbow" the reverse.
    language, stop_words, stem : see features.texts.tokenizer.Tokenizer. Stemming goes with trained
        vectors: pretrained ones are of whole words.
    max_tokens : words of a text beyond this many are left out of the sequence (not of the average).
    output : "pooled" for (n, d), "tokens" for (n, t, d).
    random_state : seed of the training, which runs on one thread and is reproducible.

    Attributes
    ----------
    vectors_ : WordVectors learned from the training texts; only with vectors="train".
    weighting_ : weights of words; only where `aggregation` learns.
    """

    modality: ClassVar[Modality] = "text"
    version: ClassVar[int] = 5
    forms: ClassVar[dict[Form, str | None]] = {"pooled": "pooled", "sequence": "tokens"}

    vectors: Literal["train", "glove-6b-50d", "file"] = "train"
    file: Path | None = None
    aggregation: Aggregation = "mean"
    size: Annotated[int, Field(ge=1)] = 100
    window: Annotated[int, Field(ge=1)] = 5
    epochs: Annotated[int, Field(ge=1)] | None = None
    min_count: Annotated[int, Field(ge=1)] = 1
    algorithm: Literal["skip_gram", "cbow"] = "skip_gram"
    language: Language = "en"
    stop_words: StopWords = "none"
    stem: bool = False
    max_tokens: Annotated[int, Field(ge=1)] = 256
    output: Literal["pooled", "tokens"] = "pooled"
    random_state: int = 0

    @property
    def requires(self) -> tuple[str, ...]:
        """See Estimator.requires: gensim trains vectors, and reads none."""
        come_with = {"train": ("gensim",), "glove-6b-50d": (GLOVE_PACKAGE,), "file": ()}
        return (*come_with[self.vectors], *segmenting(self.language))

    @property
    def learns(self) -> bool:
        """Whether vectors or weights come from the training texts."""
        return self.vectors == "train" or (self.aggregation != "mean" and self.output == "pooled")

    def unfit(self, samples: Sequence[str]) -> str | None:
        """Texts in a script that the language's rules do not split, or the vectors do not hold."""
        unsplit = unsplit_remark(samples, self.language)
        if unsplit is not None or self.vectors != "glove-6b-50d":
            return unsplit
        return foreign_remark(samples, "say vectors: train, or a file of that language's vectors")

    def identity(self) -> dict[str, Any]:
        """What decides the words; the vectors' digests, and gensim's version where it is used."""
        words = self._tokenizer().identity()
        if self.vectors == "glove-6b-50d":
            return {"vectors": [file_digest(path) for path in glove_files()], "words": words}
        if self.vectors == "file":
            digests = [file_digest(part) for part in file_parts(self.file)]
            return {"vectors": digests, "words": words}
        return {"libraries": versions("gensim"), "words": words}

    def _tokenizer(self) -> Tokenizer:
        return Tokenizer(self.language, self.stop_words, self.stem)

    def fit(self, samples: Sequence[str]) -> Self:
        """Train vectors and learn weights on the training texts, as the parameters ask for it."""
        if not self.learns:
            return self
        texts = RECENT_WORDS.of(self._tokenizer(), samples, remember=True)
        if self.vectors == "train":
            self.vectors_ = self._trained(texts)
        if self.aggregation != "mean":
            self.weighting_ = learned(self.aggregation, texts, self._word_vectors())
        return self

    def transform(self, samples: Sequence[str]) -> Block:
        """Encode m texts: float32 (m, d), or (m, t, d) with a mask, t the most words of a text."""
        known, texts = self._word_vectors(), self._texts(samples)
        if self.output == "pooled":
            weighting = (
                Weighting({}) if self.aggregation == "mean" else self.weighting_
            )
            return Block.of(averages(texts, known, weighting))
        return _sequences(self._attended(texts, known), known)

    def tokens(self, samples: Sequence[str]) -> list[list[str]]:
        """The known words of each text, in order; a text without any has one empty word."""
        known, texts = self._word_vectors(), self._texts(samples)
        return [
            [word for word in words if word in known.rows][: self.max_tokens] or [""]
            for words in texts.texts()
        ]

    def counts(
        self, samples: Sequence[str], values: scipy.sparse.csr_matrix | None = None
    ) -> dict[str, int]:
        """Words, words without a vector, and texts without any known word."""
        known, texts = self._word_vectors(), self._texts(samples)
        is_known = texts.rows(known.rows) >= 0
        known_words = sums_of_texts(is_known.astype(np.int64), texts.ends)
        return {
            "words": len(is_known),
            "unknown words": len(is_known) - int(is_known.sum()),
            "texts without a known word": int((known_words == 0).sum()),
        }

    def _texts(self, samples: Sequence[str]) -> Corpus:
        return RECENT_WORDS.of(self._tokenizer(), samples, remember=False)

    def _attended(self, texts: Corpus, known: Lookup) -> list[IntArray]:
        """Rows of each text's first known words."""
        parts = np.split(texts.rows(known.rows), texts.ends[:-1])
        return [rows[rows >= 0][: self.max_tokens] for rows in parts[: len(texts.lengths)]]

    def _word_vectors(self) -> Lookup:
        if self.vectors == "train":
            return self.vectors_
        return glove() if self.vectors == "glove-6b-50d" else from_file(self.file)

    def _trained(self, texts: Corpus) -> WordVectors:
        from gensim.models import Word2Vec as Trainer

        epochs = self.epochs or passes(len(texts.numbers))
        trainer = Trainer(
            vector_size=self.size, window=self.window, min_count=self.min_count, epochs=epochs,
            sg=int(self.algorithm == "skip_gram"), seed=self.random_state,
            negative=NEGATIVES,
            # One worker and a hash that is the same in every process: the result depends on the
            # seed alone.
            workers=1, hashfxn=_stable_hash,
        )
        if texts.counts.max(initial=0) < self.min_count:
            return WordVectors({}, np.zeros((0, self.size), dtype=np.float32))
        set_vocabulary(trainer, texts)
        trainer.train(
            texts.texts(), total_examples=len(texts.lengths), epochs=epochs,
            callbacks=[_Passes(epochs)],
        )
        return WordVectors(dict(trainer.wv.key_to_index), trainer.wv.vectors.astype(np.float32))


class _Passes:
    """Tells how many passes over the texts are done; gensim calls its methods."""

    def __init__(self, total: int) -> None:
        self._done, self._total = 0, total

    def on_train_begin(self, trainer: Any) -> None:
        """Nothing to tell yet."""

    def on_train_end(self, trainer: Any) -> None:
        """Nothing to tell any more."""

    def on_epoch_begin(self, trainer: Any) -> None:
        """The pass before it was told."""

    def on_epoch_end(self, trainer: Any) -> None:
        """Tell that a pass is done."""
        self._done += 1
        advance(self._done, self._total, "passes over the texts")


def set_vocabulary(trainer: Any, texts: Corpus) -> None:
    """What a trainer's own build_vocab_from_freq sets, but for the words that noise is drawn from.

    The most frequent words come first; of equally frequent ones, the first in the texts. gensim's
    loops over the words would take a sixth of a training of Chinese articles (benchmarks.word2vec).

    Parameters
    ----------
    trainer : gensim.models.Word2Vec; one word at least occurs as often as it asks. In FEW_PASSES
        at most, noise is drawn from the NOISE_WORDS most frequent words, in more from all.
    """
    often = np.argsort(-texts.counts, kind="stable")
    often = often[texts.counts[often] >= trainer.min_count]
    counts, known = texts.counts[often], trainer.wv
    known.index_to_key = [texts.words[number] for number in often.tolist()]
    known.key_to_index = {word: row for row, word in enumerate(known.index_to_key)}
    known.allocate_vecattrs(["count", "sample_int"], [np.int64, np.uint32])
    known.expandos["count"][:] = counts
    # the share of a word's occurrences that is read, of 2**32 - 1 (Mikolov et al., 2013)
    frequency = counts / (trainer.sample * counts.sum())
    read = np.minimum((np.sqrt(frequency) + 1) / frequency, 1)
    known.expandos["sample_int"][:] = (read * (2**32 - 1)).astype(np.uint32)
    noise = counts[:NOISE_WORDS] if trainer.epochs <= FEW_PASSES else counts
    shares = np.cumsum(noise.astype(np.float64) ** trainer.ns_exponent)
    trainer.cum_table = np.round(shares / shares[-1] * (2**31 - 1)).astype(np.uint32)
    trainer.prepare_weights()


def passes(words: int) -> int:
    """How often texts of so many words are trained on by default."""
    return min(max(round(TRAINED_WORDS / max(words, 1)), 1), MOST_PASSES)


def _stable_hash(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "replace"))


def _sequences(words: list[IntArray], known: Lookup) -> Block:
    """Word vectors of each text in order, with their mask."""
    longest = max([1, *(len(rows) for rows in words)])
    values = np.zeros((len(words), longest, known.width), dtype=np.float32)
    mask = np.zeros((len(words), longest), dtype=bool)
    used, row_of_word = np.unique(
        np.concatenate([np.zeros(0, dtype=np.int64), *words]), return_inverse=True
    )
    lengths = np.array([len(rows) for rows in words], dtype=np.int64)
    texts, positions = np.repeat(np.arange(len(words)), lengths), _within(lengths)
    values[texts, positions] = known.take(used)[row_of_word]
    mask[texts, positions] = True
    mask[:, 0] = True
    return Block.of(values, mask)


def _within(lengths: IntArray) -> IntArray:
    """0, 1, ... within each run of the given lengths."""
    starts = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(int(lengths.sum())) - np.repeat(starts, lengths), dtype=np.int64)
