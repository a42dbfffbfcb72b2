"""TF-IDF: counts of words and phrases, weighted by how rare they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import scipy

from features.block import Block
from features.encoder import Targets
from features.encoders.bag_of_words import BagOfWords
from features.texts.counting import InverseFrequencies
from features.texts.terms import Ngrams


@dataclass(kw_only=True, eq=False, repr=False)
class Tfidf(BagOfWords):
    """Counts of words and phrases, weighted by how rare they are in the training texts.

    A term that occurs tf times in a text, and in df of n training texts, weighs tf * (ln((1 + n) /
    (1 + df)) + 1); each text's row is then scaled to unit length (the smoothed form of
    scikit-learn; Sparck Jones, 1972). Learns the vocabulary and the document frequencies.

    Parameters
    ----------
    ngrams : shortest and longest phrase in words; (1, 2) for single words and pairs.
    min_df, max_df, max_features, language, stop_words, stem : see BagOfWords.

    Attributes
    ----------
    vocabulary_ : dict of term -> column.
    weighting_ : the fitted idf weights; None where the vocabulary is empty.
    """

    ngrams: Ngrams = (1, 2)

    def fit(self, samples: Sequence[str]) -> Self:
        """Learn the vocabulary and idf weights of the training texts."""
        self._weigh(self.counts_of_training(samples))
        return self

    def transform(self, samples: Sequence[str]) -> Block:
        """TF-IDF of m texts, CSR float32 (m, terms), rows of unit length or zero."""
        return self._weighted(self._counts(samples))

    def fit_features(self, features: Block, targets: Targets | None = None) -> Self:
        """Learn the vocabulary and idf weights of the training texts."""
        self._weigh(self._chosen_counts(features))
        return self

    def transform_features(self, features: Block) -> Block:
        """TF-IDF of m texts, CSR float32 (m, terms), rows of unit length or zero."""
        return self._weighted(self._of_columns(features))

    def _weigh(self, counts: scipy.sparse.csr_matrix) -> None:
        from sklearn.feature_extraction.text import TfidfTransformer

        self.weighting_ = (
            InverseFrequencies(TfidfTransformer().fit(counts).idf_) if counts.nnz else None
        )

    def _weighted(self, counts: scipy.sparse.csr_matrix) -> Block:
        if self.weighting_ is None or not counts.shape[0]:
            return Block.of(counts)
        return Block.of(self.weighting_.weighted(counts))
