"""How a text's word vectors become one: mean, weighted by idf, or smooth inverse frequency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from features.block import FloatArray, IntArray
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


def learned(aggregation: Aggregation, texts: Sequence[list[str]], known: Lookup) -> Weighting:
    """The weighting that training texts, given as words, lead to."""
    if aggregation == "mean":
        return Weighting({})
    if aggregation == "tfidf_weighted":
        frequencies = Counter(chain.from_iterable(map(set, texts)))
        idf = {
            word: float(np.log((1 + len(texts)) / (1 + df)) + 1)
            for word, df in sorted(frequencies.items())
        }
        return Weighting(idf, float(np.log(1 + len(texts)) + 1), normalised=True)
    counts = Counter(chain.from_iterable(texts))
    total = sum(counts.values())
    weights = {
        word: SMOOTHING / (SMOOTHING + count / total) for word, count in sorted(counts.items())
    }
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


def averages(texts: Sequence[list[str]], known: Lookup, weighting: Weighting) -> FloatArray:
    """One vector for each text, float32 (m, d); zeros where it has no known word."""
    known_words = [list(filter(known.rows.__contains__, text)) for text in texts]
    words = list(chain.from_iterable(known_words))
    rows: IntArray = np.array([known.rows[word] for word in words], dtype=np.int64)
    weights = np.array([weighting.weights.get(word, weighting.unseen) for word in words])
    lengths = np.array([len(text) for text in known_words], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    sums = _sums(weights, starts) if weighting.normalised else lengths
    shares = (weights / np.repeat(np.maximum(sums, 1e-12), lengths)).astype(np.float32)
    used, columns = np.unique(rows, return_inverse=True)
    averaging = scipy.sparse.csr_matrix((shares, columns, starts), shape=(len(texts), len(used)))
    vectors = np.asarray(averaging @ known.take(used), dtype=np.float32)
    if weighting.common is None:
        return vectors
    return np.asarray(vectors - np.outer(vectors @ weighting.common, weighting.common))


def _sums(weights: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    totals = np.concatenate([[0.0], np.cumsum(weights)])
    return np.asarray(totals[starts[1:]] - totals[starts[:-1]])
