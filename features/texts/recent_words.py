"""The words of training texts, in memory: folds learn from much the same texts.

Cutting Chinese into words takes longer than a training on them (`benchmarks.word2vec`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.block import IntArray
from features.texts.corpus import Corpus, Numbers
from features.texts.tokenizer import Tokenizer

MOST = 2**24  # words that a process keeps, 4 bytes each and every distinct word once


class RecentWords:
    """Words by the tokenizer's state and the text.

    Texts that find no room are cut anew each time, until others are asked for of which none is
    there: then it begins anew.

    Parameters
    ----------
    most : words kept.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._begin()

    def _begin(self) -> None:
        self._texts: dict[tuple[object, str], Numbers] = {}
        self._number_of: dict[str, int] = {}
        self._count = 0

    def of(self, tokenizer: Tokenizer, texts: Sequence[str], *, remember: bool) -> Corpus:
        """The words of each text, as the tokenizer gives them.

        Parameters
        ----------
        remember : whether they are kept: texts that other folds will ask for.
        """
        state, distinct = tokenizer.state(), dict.fromkeys(texts)
        new = {text: tokenizer(text) for text in distinct if (state, text) not in self._texts}
        room = self.most - self._count
        if remember and len(new) == len(distinct) and sum(map(len, new.values())) > room:
            self._begin()
        passing: dict[str, list[str]] = {}
        for text, words in new.items():
            if not remember or self._count + len(words) > self.most:
                passing[text] = words
                continue
            self._texts[state, text] = _numbered(words, self._number_of)
            self._count += len(words)
        # Words of texts that are not kept are not kept either.
        number_of = dict(self._number_of) if passing else self._number_of
        of_passing = {text: _numbered(words, number_of) for text, words in passing.items()}
        parts = [
            of_passing[text] if text in of_passing else self._texts[state, text] for text in texts
        ]
        return _by_first_occurrence(parts, list(number_of))


def _numbered(words: Sequence[str], number_of: dict[str, int]) -> Numbers:
    numbers = [number_of.setdefault(word, len(number_of)) for word in words]
    return np.array(numbers, dtype=np.int32)


def _by_first_occurrence(parts: Sequence[Numbers], words: Sequence[str]) -> Corpus:
    """Texts whose words are numbered among more `words`, numbered anew among their own."""
    numbers: Numbers = np.concatenate([np.zeros(0, dtype=np.int32), *parts])
    lengths: IntArray = np.array([len(part) for part in parts], dtype=np.int64)
    positions = np.arange(len(numbers))
    first = np.full(len(words), len(numbers))
    first[numbers[::-1]] = positions[::-1]  # of equal numbers the last assignment stands
    occurring = np.flatnonzero(first < len(numbers))
    in_order = occurring[np.argsort(first[occurring])]
    new_number = np.zeros(len(words), dtype=np.int32)
    new_number[in_order] = np.arange(len(in_order), dtype=np.int32)
    return Corpus(new_number[numbers], lengths, [words[number] for number in in_order.tolist()])


RECENT_WORDS = RecentWords()
