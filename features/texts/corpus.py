"""Texts as numbers of their words: counted, weighted and looked up without a loop over words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.block import IntArray

Numbers = NDArray[np.int32]
Scalar = TypeVar("Scalar", bound=np.generic)


class Corpus(NamedTuple):
    """m texts of w words in all, of which v are distinct.

    Parameters
    ----------
    numbers : int32 (w,), number of each word, one text after the other.
    lengths : int64 (m,), words of each text.
    words : v, by their numbers, in the order in which they occur first: equal texts make equal
        corpora, whatever else their process has seen.
    """

    numbers: Numbers
    lengths: IntArray
    words: Sequence[str]

    @classmethod
    def of(cls, texts: Sequence[Sequence[str]]) -> Corpus:
        """Texts that are given as words."""
        number_of: dict[str, int] = {}
        numbers = [number_of.setdefault(word, len(number_of)) for word in chain(*texts)]
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        return cls(np.array(numbers, dtype=np.int32), lengths, list(number_of))

    @property
    def ends(self) -> IntArray:
        """int64 (m,), where each text ends."""
        return np.cumsum(self.lengths, dtype=np.int64)

    @property
    def counts(self) -> IntArray:
        """int64 (v,), how often each word occurs."""
        return np.bincount(self.numbers, minlength=len(self.words))

    @property
    def document_frequencies(self) -> IntArray:
        """int64 (v,), how many texts hold each word."""
        texts = np.repeat(np.arange(len(self.lengths)), self.lengths)
        distinct = np.unique(texts * max(len(self.words), 1) + self.numbers)
        return np.bincount(distinct % max(len(self.words), 1), minlength=len(self.words))

    def rows(self, row_of: Mapping[str, int]) -> IntArray:
        """int64 (w,), the row that a vocabulary has for each word; -1 for a word it lacks."""
        of_word = np.array([row_of.get(word, -1) for word in self.words], dtype=np.int64)
        return np.asarray(of_word[self.numbers], dtype=np.int64)

    def texts(self) -> list[list[str]]:
        """The words of each text."""
        words = list(map(self.words.__getitem__, self.numbers.tolist()))
        return [
            words[end - length : end]
            for end, length in zip(self.ends.tolist(), self.lengths.tolist(), strict=True)
        ]


def sums_of_texts(values: NDArray[Scalar], ends: IntArray) -> NDArray[Scalar]:
    """Sums (m,) of the values (w,) of each text's words."""
    totals = np.concatenate([np.zeros(1, values.dtype), np.cumsum(values)])
    return np.asarray(np.diff(totals[ends], prepend=totals[:1]))
