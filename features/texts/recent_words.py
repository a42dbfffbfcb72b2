"""The words of training texts, in memory: folds learn from much the same texts.

Cutting Chinese into words takes longer than a training on them (`benchmarks.word2vec`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from features.texts.tokenizer import Tokenizer

MOST = 2**23  # words that a process keeps, 8 bytes each and every distinct word once


class RecentWords:
    """Words by the tokenizer's state and the text. Where they are too many it begins anew.

    Parameters
    ----------
    most : words kept.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._words: dict[tuple[object, str], tuple[str, ...]] = {}
        self._count = 0

    def of(self, tokenizer: Tokenizer, texts: Sequence[str], *, remember: bool) -> list[list[str]]:
        """The words of each text, as the tokenizer gives them.

        Parameters
        ----------
        remember : whether they are kept: texts that other folds will ask for.
        """
        state = tokenizer.state()
        return [self._of(tokenizer, state, text, remember) for text in texts]

    def _of(self, tokenizer: Tokenizer, state: object, text: str, remember: bool) -> list[str]:
        known = self._words.get((state, text))
        if known is not None:
            return list(known)
        words = tokenizer(text)
        if remember:
            self._keep((state, text), tuple(map(sys.intern, words)))
        return words

    def _keep(self, key: tuple[object, str], words: tuple[str, ...]) -> None:
        if self._count + len(words) > self.most:
            self._words.clear()
            self._count = 0
        self._words[key] = words
        self._count += len(words)


RECENT_WORDS = RecentWords()
