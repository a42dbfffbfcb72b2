"""Bag of words: texts as sparse counts of the words and phrases seen in training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import scipy
from pydantic import Field

from features.block import Block, Modality
from features.encoder import Encoder, Targets
from features.machine.identity import versions
from features.texts.counting import counted
from features.texts.languages import Language
from features.texts.terms import MaxDf, MinDf, Ngrams
from features.texts.tokenizer import StopWords, Tokenizer, segmenting
from features.texts.writing_systems import unsplit_remark


@dataclass(kw_only=True, eq=False, repr=False)
class TermCounts(Encoder):
    """How often each word and phrase of all the texts occurs in each.

    BagOfWords chooses its terms from these. Its columns are the terms of the texts it is given, by
    name and in alphabetical order. It is no encoder for a grid: its width depends on the texts.

    Parameters
    ----------
    ngrams, language, stop_words, stem : see BagOfWords.
    """

    modality: ClassVar[Modality] = "text"
    version: ClassVar[int] = 1

    ngrams: Ngrams = (1, 1)
    language: Language = "en"
    stop_words: StopWords = "none"
    stem: bool = False

    @property
    def requires(self) -> tuple[str, ...]:
        """See Estimator.requires."""
        return segmenting(self.language)

    def identity(self) -> dict[str, Any]:
        """Library versions, and what decides the words."""
        return {"libraries": versions("scikit-learn"), "words": self.tokenizer().identity()}

    def tokenizer(self) -> Tokenizer:
        """Splits a text into words."""
        return Tokenizer(self.language, self.stop_words, self.stem)

    def transform(self, samples: Sequence[str]) -> Block:
        """Counts of m texts, CSR float32 (m, terms), with the terms as names of the columns."""
        words = BagOfWords(**self.get_params())
        counts = words.counts_of_training(samples)
        # no term at all: a column that nothing is counted in
        terms = sorted(words.vocabulary_, key=words.vocabulary_.__getitem__) or [""]
        return Block.of(counts, columns=tuple(terms))


@dataclass(kw_only=True, eq=False, repr=False)
class BagOfWords(Encoder):
    """How often each word and phrase of the training texts occurs in a text.

    Learns the vocabulary, so it must see training texts only. Where these hold no term at all (all
    empty, or `min_df` leaves none) the block is one column of zeros, so that comparisons go on.

    Parameters
    ----------
    ngrams : shortest and longest phrase in words; (1, 1) for single words.
    min_df : leave out terms that occur in fewer training texts than this: a number, or a share
        below 1.
    max_df : leave out terms that occur in more than this share of the training texts.
    max_features : keep only this many terms, those that occur most often in the training texts.
    language, stop_words, stem : see features.texts.tokenizer.Tokenizer; phrases are formed from the
        words it leaves.

    Attributes
    ----------
    vocabulary_ : dict of term -> column.
    """

    modality: ClassVar[Modality] = "text"
    version: ClassVar[int] = 1

    ngrams: Ngrams = (1, 1)
    min_df: MinDf = 1
    max_df: MaxDf = 1.0
    max_features: Annotated[int, Field(ge=1)] | None = None
    language: Language = "en"
    stop_words: StopWords = "none"
    stem: bool = False

    @property
    def requires(self) -> tuple[str, ...]:
        """See Estimator.requires."""
        return self.frozen_stage().requires

    @property
    def learns(self) -> bool:
        """Always: the vocabulary comes from the training texts."""
        return True

    def identity(self) -> dict[str, Any]:
        """Library versions, and what decides the words."""
        return self.frozen_stage().identity()

    def frozen_stage(self) -> TermCounts:
        """Counts of all terms: texts are split once for all folds.

        Each fold chooses the terms of its training texts. `fit` and `transform` take the texts
        themselves, with the same result.
        """
        return TermCounts(
            ngrams=self.ngrams,
            language=self.language,
            stop_words=self.stop_words,
            stem=self.stem,
        )

    def fit_features(self, features: Block, targets: Targets | None = None) -> Self:
        """Learn the vocabulary of the training texts."""
        self._chosen_counts(features)
        return self

    def transform_features(self, features: Block) -> Block:
        """Counts of m texts, CSR float32 (m, terms)."""
        return Block.of(self._of_columns(features))

    def _chosen_counts(self, features: Block) -> scipy.sparse.csr_matrix:
        """Choose terms as CountVectorizer does, by the training texts' counts, and return these."""
        training = _rows(features)
        texts = np.bincount(training.indices, minlength=training.shape[1])
        fewest, most = self._limits(training.shape[0])
        columns = np.flatnonzero((texts >= max(fewest, 1)) & (texts <= most))
        if self.max_features is not None:
            often = np.asarray(training.sum(axis=0)).ravel()[columns]
            columns = np.sort(columns[(-often).argsort()[:self.max_features]])
        self.columns_ = columns
        return self._of_columns(features)

    def _of_columns(self, features: Block) -> scipy.sparse.csr_matrix:
        counts = _rows(features)
        if not len(self.columns_):
            return scipy.sparse.csr_matrix((counts.shape[0], 1), dtype=np.float32)
        chosen = scipy.sparse.csr_matrix(counts[:, self.columns_])
        chosen.sort_indices()
        return chosen

    def _limits(self, count: int) -> tuple[float, float]:
        """Fewest and most of the training texts that a term occurs in."""
        return self.min_df if self.min_df >= 1 else self.min_df * count, self.max_df * count

    def counts(
        self, samples: Sequence[str], values: scipy.sparse.csr_matrix | None = None
    ) -> dict[str, int]:
        """Texts that hold none of the learned terms."""
        values = self._counts(samples) if values is None else values
        return {"texts without a known term": int((np.diff(values.indptr) == 0).sum())}

    def unfit(self, samples: Sequence[str]) -> str | None:
        """Texts in a script whose words this language's rules do not find."""
        return unsplit_remark(samples, self.language)

    def fit(self, samples: Sequence[str]) -> Self:
        """Learn the vocabulary of the training texts."""
        self.counts_of_training(samples)
        return self

    def transform(self, samples: Sequence[str]) -> Block:
        """Counts of m texts, CSR float32 (m, terms)."""
        return Block.of(self._counts(samples))

    def counts_of_training(self, samples: Sequence[str]) -> scipy.sparse.csr_matrix:
        """Learn the vocabulary, and return the training texts' counts, CSR float32 (m, terms)."""
        vectorizer = self._vectorizer()
        try:
            counts = vectorizer.fit_transform(samples)
        except ValueError:
            # scikit-learn refuses an empty vocabulary; any other complaint is a real one.
            if self._some_term_is_kept(samples):
                raise
            self.vocabulary_: dict[str, int] = {}
            return self._counts(samples)
        self.vocabulary_ = {term: int(column) for term, column in vectorizer.vocabulary_.items()}
        return scipy.sparse.csr_matrix(counts)

    def _vectorizer(self) -> Any:
        """What finds terms and counts them."""
        from sklearn.feature_extraction.text import CountVectorizer

        return CountVectorizer(
            tokenizer=self.frozen_stage().tokenizer(), token_pattern=None, lowercase=False,
            ngram_range=tuple(self.ngrams), min_df=self.min_df, max_df=float(self.max_df),
            max_features=self.max_features, dtype=np.float32,
        )

    def _counts(self, samples: Sequence[str]) -> scipy.sparse.csr_matrix:
        if not self.vocabulary_:
            return scipy.sparse.csr_matrix((len(samples), 1), dtype=np.float32)
        words = map(self.frozen_stage().tokenizer(), samples)
        return counted(words, self.vocabulary_, (self.ngrams[0], self.ngrams[1]))

    def _some_term_is_kept(self, samples: Sequence[str]) -> bool:
        """Whether any term occurs in as many training texts as min_df and max_df ask."""
        analyze = self._vectorizer().build_analyzer()
        terms = Counter(chain.from_iterable(set(analyze(text)) for text in samples))
        fewest, most = self._limits(len(samples))
        return any(fewest <= texts <= most for texts in terms.values())


def _rows(features: Block) -> scipy.sparse.csr_matrix:
    return scipy.sparse.csr_matrix(features.values)[features.index]
