"""How a text's word vectors become one: mean, weighted by idf, or smooth inverse frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy

from features.block import FloatArray
from features.texts.corpus import Corpus, sums_of_texts
from features.texts.word_vectors import Lookup

Aggregation = Literal["mean", "tfidf_weighted", "sif"]
SMOOTHING = 1e-3  # a of Arora et al.: between 1e-4 and 1e-3 they saw no difference


@dataclass(frozen=True, eq=False)
class Weighting:
    """Weights of words, learned on training texts, and a direction to leave out.

    - mean: v = sum_w x_w / n over the n known words w of a text;
    - tfidf_weighted: v = sum_w idf_w x_w / sum_w idf_w, where idf_w = ln((1 + N) / (1 + df_w)) + 1
      over N training texts;
    - sif: v = sum_w a / (a + p_w) x_w / n minus its part along u, where p_w is the word's share of
      the training words, a = 1e-3, and u the first right singular vector of the training texts' v
      (Arora, Liang and Ma, 2017, A Simple but Tough-to-Beat Baseline for Sentence Embeddings).

    Parameters
    ----------
    weights : word -> weight; `unseen` is that of any other.
    normalised : whether weights are divided by their sum rather than by n.
    common : float32 (d,), the unit direction u, or None.
    """

    weights: dict[str, float]
    unseen: float = 1.0
    normalised: bool = False
    common: FloatArray | None = None


def learned(aggregation: Aggregation, texts: Corpus, known: Lookup) -> Weighting:
    """The weighting that training texts lead to."""
    if aggregation == "mean":
        return Weighting({})
    if aggregation == "tfidf_weighted":
        count = len(texts.lengths)
        idf = np.log((1 + count) / (1 + texts.document_frequencies)) + 1
        weights = dict(sorted(zip(texts.words, idf.tolist(), strict=True)))
        return Weighting(weights, float(np.log(1 + count) + 1), normalised=True)
    shares = texts.counts / max(len(texts.numbers), 1)
    smoothed = SMOOTHING / (SMOOTHING + shares)
    weights = dict(sorted(zip(texts.words, smoothed.tolist(), strict=True)))
    plain = Weighting(weights)
    return Weighting(weights, common=_first_direction(averages(texts, known, plain)))


def _first_direction(vectors: FloatArray) -> FloatArray | None:
    """First right singular vector (d,) of vectors (m, d), its largest entry positive.

    None where all of them are zero.
    """
    if not vectors.any():
        return None
    second_moment = vectors.T.astype(np.float64) @ vectors
    direction = np.linalg.eigh(second_moment)[1][:, -1]
    return np.asarray(
        direction * np.sign(direction[np.argmax(np.abs(direction))]), dtype=np.float32
    )


def averages(texts: Corpus, known: Lookup, weighting: Weighting) -> FloatArray:
    """One vector for each text, float32 (m, d); zeros where it has no known word."""
    all_rows = texts.rows(known.rows)
    is_known = all_rows >= 0
    lengths = sums_of_texts(is_known.astype(np.int64), texts.ends)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    weight_of = [weighting.weights.get(word, weighting.unseen) for word in texts.words]
    weights = np.array(weight_of, dtype=np.float64)[texts.numbers[is_known]]
    sums = sums_of_texts(weights, starts[1:]) if weighting.normalised else lengths
    shares = (weights / np.repeat(np.maximum(sums, 1e-12), lengths)).astype(np.float32)
    used, columns = np.unique(all_rows[is_known], return_inverse=True)
    averaging = scipy.sparse.csr_matrix((shares, columns, starts), shape=(len(lengths), len(used)))
    vectors = np.asarray(averaging @ known.take(used), dtype=np.float32)
    if weighting.common is None:
        return vectors
    return np.asarray(vectors - np.outer(vectors @ weighting.common, weighting.common))
