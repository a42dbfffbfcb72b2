"""Texts: one tokeniser shared by bag of words, TF-IDF and Word2Vec."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Literal

# Writing systems end here; the planes above hold ideographs, which take no marks, and nothing else.
LAST_LETTER = 0x20000

StopWords = Literal["none", "english"]


@cache
def _word() -> re.Pattern[str]:
    """Runs of letters, digits and the marks that belong to letters.

    Python's own word characters leave out combining marks, and so cut Hindi, Thai or vocalised Arabic and
    Hebrew words to pieces.
    """
    marks = (code for code in range(LAST_LETTER) if unicodedata.category(chr(code))[0] == "M")
    runs = (list(run) for _, run in groupby(enumerate(marks), key=lambda pair: pair[1] - pair[0]))
    ranges = "".join(f"\\U{run[0][1]:08x}-\\U{run[-1][1]:08x}" for run in runs)
    return re.compile(rf"\w[\w{ranges}]*")


@cache
def _english() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS)


@dataclass(frozen=True)
class Tokenizer:
    """Splits a text into lowercase words.

    The text is brought to Unicode's compatibility form NFKC first, so that a full-width or ligature
    spelling is the same word. Signs, underscores, emoji and control characters separate words.

    Parameters
    ----------
    stop_words : "none", or "english" to leave out scikit-learn's list of 318 frequent words.
    """

    stop_words: StopWords = "none"

    def __call__(self, text: str) -> list[str]:
        """The words of `text` in order; none is a possible outcome."""
        plain = unicodedata.normalize("NFKC", text).lower().replace("_", " ")
        words: list[str] = _word().findall(plain)
        if self.stop_words == "none":
            return words
        return [word for word in words if word not in _english()]
