"""Known terms counted and weighted, as scikit-learn does, whose import takes 0.8 s of CPU.

That is as long as all else that predicting a text takes (benchmarks/start.py). Learning goes
through scikit-learn; the tests hold both to the same bits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from features.block import FloatArray

ROWS_AT_ONCE = 2**14  # whose sums are in memory together


def phrases(words: Sequence[str], shortest: int, longest: int) -> Iterator[str]:
    """All runs of words, by their lengths, with a blank between words."""
    for length in range(shortest, min(longest, len(words)) + 1):
        for start in range(len(words) - length + 1):
            yield " ".join(words[start : start + length])


def counted(
    texts: Iterable[Sequence[str]], columns: Mapping[str, int], ngrams: tuple[int, int]
) -> scipy.sparse.csr_matrix:
    """How often known terms occur in each of m texts, given as words: CSR float32 (m, terms)."""
    indices: list[int] = []
    values: list[int] = []
    ends = [0]
    for words in texts:
        terms = filter(columns.__contains__, phrases(words, *ngrams))
        counts = sorted(Counter(map(columns.__getitem__, terms)).items())
        indices += [column for column, _ in counts]
        values += [count for _, count in counts]
        ends.append(len(indices))
    return scipy.sparse.csr_matrix(
        (np.array(values, np.float32), np.array(indices, np.int32), np.array(ends, np.int32)),
        shape=(len(ends) - 1, len(columns)),
    )


@dataclass(frozen=True, eq=False)
class InverseFrequencies:
    """Weights of terms, the rarer the larger: sklearn.feature_extraction.text.TfidfTransformer.

    Parameters
    ----------
    idf_ : float32 (d,), ln((1 + n) / (1 + df)) + 1 of n training texts, df of which have the term.
    """

    idf_: FloatArray

    def weighted(self, counts: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
        """Counts (m, d) times the weights, rows of unit length or zero.

        Squares are added up one after the other in double precision, as there.
        """
        values = counts.data * self.idf_[counts.indices]
        ends = counts.indptr
        for start in range(0, counts.shape[0], ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, counts.shape[0])
            part = values[ends[start] : ends[stop]]
            rows = np.repeat(np.arange(stop - start), np.diff(ends[start : stop + 1]))
            norms = np.sqrt(np.bincount(rows, weights=part * part, minlength=stop - start))
            norms[norms == 0] = 1
            part[:] = part / norms[rows]
        return scipy.sparse.csr_matrix((values, counts.indices, ends), shape=counts.shape)
