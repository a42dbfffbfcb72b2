"""Bag of words and TF-IDF: texts as sparse counts of the words and phrases seen in training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import AfterValidator, Field
from scipy import sparse

from features.encoder import Block, Encoder, Modality
from features.identity import versions
from features.text import Language, StopWords, Tokenizer


def _ordered(ngrams: tuple[int, int]) -> tuple[int, int]:
    if not 1 <= ngrams[0] <= ngrams[1]:
        raise ValueError(f"ngrams are the shortest and longest phrase, 1 <= shortest <= longest, not {ngrams}")
    return ngrams


Ngrams = Annotated[tuple[int, int], AfterValidator(_ordered)]


def _count_or_share(least: float) -> float:
    """A whole number of texts, or a share of them below 1."""
    if least < 1:
        return least
    if least != int(least):
        raise ValueError(f"min_df is a whole number of texts or a share of them below 1, not {least}")
    return int(least)


MinDf = Annotated[float, Field(gt=0), AfterValidator(_count_or_share)]
MaxDf = Annotated[float, Field(gt=0, le=1)]


class BagOfWords(Encoder):
    """How often each word and phrase of the training texts occurs in a text.

    Learns the vocabulary, so it must see training texts only. Where these hold no term at all (all empty,
    or `min_df` leaves none) the block is one column of zeros, so that comparisons go on.

    Parameters
    ----------
    ngrams : shortest and longest phrase in words; (1, 1) for single words.
    min_df : leave out terms that occur in fewer training texts than this: a number, or a share below 1.
    max_df : leave out terms that occur in more than this share of the training texts.
    max_features : keep only this many terms, those that occur most often in the training texts.
    language, stop_words, stem : see features.text.Tokenizer; phrases are formed from the words it leaves.

    Attributes
    ----------
    vocabulary_ : dict of term -> column.
    """

    modality: ClassVar[Modality] = "text"
    version: ClassVar[int] = 1

    def __init__(
        self,
        ngrams: Ngrams = (1, 1),
        min_df: MinDf = 1,
        max_df: MaxDf = 1.0,
        max_features: Annotated[int, Field(ge=1)] | None = None,
        language: Language = "en",
        stop_words: StopWords = "none",
        stem: bool = False,
    ) -> None:
        self.ngrams = ngrams
        self.min_df = min_df
        self.max_df = max_df
        self.max_features = max_features
        self.language = language
        self.stop_words = stop_words
        self.stem = stem

    @property
    def learns(self) -> bool:
        """Always: the vocabulary comes from the training texts."""
        return True

    def identity(self) -> dict[str, Any]:
        """Library versions, and what decides the words."""
        return {"libraries": versions("scikit-learn"), "words": self._tokenizer().identity()}

    def _tokenizer(self) -> Tokenizer:
        return Tokenizer(self.language, self.stop_words, self.stem)

    def counts(self, samples: Sequence[str]) -> dict[str, int]:
        """Texts that hold none of the learned terms."""
        return {"texts without a known term": int((np.diff(self._counts(samples).indptr) == 0).sum())}

    def fit(self, samples: Sequence[str]) -> Self:
        """Learn the vocabulary of the training texts."""
        self._counts_of_training(samples)
        return self

    def transform(self, samples: Sequence[str]) -> Block:
        """Counts of m texts, CSR float32 (m, terms)."""
        return Block.of(self._counts(samples))

    def _counts_of_training(self, samples: Sequence[str]) -> sparse.csr_matrix:
        """Learn the vocabulary, and return the training texts' counts, CSR float32 (m, terms)."""
        from sklearn.feature_extraction.text import CountVectorizer

        self.vectorizer_ = CountVectorizer(
            tokenizer=self._tokenizer(), token_pattern=None, lowercase=False, ngram_range=tuple(self.ngrams),
            min_df=self.min_df, max_df=float(self.max_df), max_features=self.max_features, dtype=np.float32,
        )
        try:
            counts = self.vectorizer_.fit_transform(samples)
        except ValueError:
            # scikit-learn refuses an empty vocabulary; any other complaint is a real one.
            if self._some_term_is_kept(samples):
                raise
            self.vocabulary_: dict[str, int] = {}
            return self._counts(samples)
        self.vocabulary_ = self.vectorizer_.vocabulary_
        return sparse.csr_matrix(counts)

    def _counts(self, samples: Sequence[str]) -> sparse.csr_matrix:
        if not self.vocabulary_:
            return sparse.csr_matrix((len(samples), 1), dtype=np.float32)
        return sparse.csr_matrix(self.vectorizer_.transform(samples))

    def _some_term_is_kept(self, samples: Sequence[str]) -> bool:
        """Whether any term occurs in as many training texts as min_df and max_df ask."""
        analyze = self.vectorizer_.build_analyzer()
        texts = Counter(term for text in samples for term in set(analyze(text))).values()
        fewest = self.min_df if self.min_df >= 1 else self.min_df * len(samples)
        return any(fewest <= count <= self.max_df * len(samples) for count in texts)


class Tfidf(BagOfWords):
    """Counts of words and phrases, weighted by how rare they are in the training texts.

    A term that occurs tf times in a text, and in df of n training texts, weighs
    tf * (ln((1 + n) / (1 + df)) + 1); each text's row is then scaled to unit length (the smoothed form of
    scikit-learn; Sparck Jones, 1972). Learns the vocabulary and the document frequencies.

    Parameters
    ----------
    ngrams : shortest and longest phrase in words; (1, 2) for single words and pairs.
    min_df : leave out terms that occur in fewer training texts than this: a number, or a share below 1.
    max_df : leave out terms that occur in more than this share of the training texts.
    max_features : keep only this many terms, those that occur most often in the training texts.
    language, stop_words, stem : see features.text.Tokenizer; phrases are formed from the words it leaves.

    Attributes
    ----------
    vocabulary_ : dict of term -> column.
    weighting_ : the fitted idf weights; None where the vocabulary is empty.
    """

    def __init__(
        self,
        ngrams: Ngrams = (1, 2),
        min_df: MinDf = 1,
        max_df: MaxDf = 1.0,
        max_features: Annotated[int, Field(ge=1)] | None = None,
        language: Language = "en",
        stop_words: StopWords = "none",
        stem: bool = False,
    ) -> None:
        super().__init__(ngrams, min_df, max_df, max_features, language, stop_words, stem)

    def fit(self, samples: Sequence[str]) -> Self:
        """Learn the vocabulary and idf weights of the training texts."""
        counts = self._counts_of_training(samples)
        from sklearn.feature_extraction.text import TfidfTransformer

        self.weighting_ = TfidfTransformer().fit(counts) if self.vocabulary_ else None
        return self

    def transform(self, samples: Sequence[str]) -> Block:
        """TF-IDF of m texts, CSR float32 (m, terms), rows of unit length or zero."""
        counts = self._counts(samples)
        if self.weighting_ is None or not len(samples):
            return Block.of(counts)
        return Block.of(sparse.csr_matrix(self.weighting_.transform(counts, copy=False), dtype=np.float32))
