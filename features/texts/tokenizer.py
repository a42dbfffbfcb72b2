"""Words of a text, alike for bag of words, TF-IDF and Word2Vec."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain, groupby
from pathlib import Path
from typing import Any, Literal, get_args

from features.machine.identity import file_digest, versions
from features.machine.nearest import nearest_file
from features.texts.languages import NO_STOP_WORDS, STEMMERS, Language

# Writing systems end here; the planes above hold ideographs, which take no marks, and nothing else.
LAST_LETTER = 0x20000

StopWords = Literal["none", "language"] | Path

@cache
def _word() -> re.Pattern[str]:
    """Runs of letters, digits and the marks that belong to letters.

    Python's own word characters leave out combining marks, and so cut Hindi, Thai or vocalised
    Arabic and Hebrew words to pieces.
    """
    marks = (code for code in range(LAST_LETTER) if unicodedata.category(chr(code))[0] == "M")
    runs = (list(run) for _, run in groupby(enumerate(marks), key=lambda pair: pair[1] - pair[0]))
    ranges = "".join(f"\\U{run[0][1]:08x}-\\U{run[-1][1]:08x}" for run in runs)
    return re.compile(rf"\w[\w{ranges}]*")


def _words(text: str) -> list[str]:
    """Lowercase words of a text in the form NFKC, in which spellings of a letter are the same."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("_", " ")
    words: list[str] = _word().findall(plain)
    return words


@cache
def _chinese() -> Callable[[str], Iterable[str]]:
    """Jieba's segmentation of a run of letters into words, by a dictionary and a Markov model."""
    import logging

    import jieba

    jieba.setLogLevel(logging.WARNING)
    segment: Callable[[str], Iterable[str]] = jieba.lcut
    return segment


def _segmented(run: str) -> Iterable[str]:
    """The words of a run of letters, where it is not all ASCII."""
    return [run] if run.isascii() else _chinese()(run)


def segmenting(language: str) -> tuple[str, ...]:
    """The module that cuts texts of a language into words, where it writes no blanks."""
    return ("jieba",) if language == "zh" else ()


@lru_cache(maxsize=16)
def _stop_words(language: str, chosen: str | Path, modified: int) -> frozenset[str]:
    """Words to leave out, in the form that `_words` gives; `modified` is the file's time."""
    if isinstance(chosen, Path):
        lines = chosen.read_text(encoding="utf-8").splitlines()
    elif language == "en":
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        lines = sorted(
            ENGLISH_STOP_WORDS
        )  # stop-words' own list of 1,333 English words takes content words too
    else:
        from stop_words import get_stop_words

        lines = get_stop_words(language)
    # A line such as "don't" is two words to the tokeniser: both are left out.
    return frozenset(chain.from_iterable(map(_words, lines)))


@cache
def _stemmer(language: str) -> Callable[[str], str]:
    import snowballstemmer

    stem: Callable[[str], str] = snowballstemmer.stemmer(STEMMERS[language]).stemWord
    # words repeat: a look-up is ten times faster than stemming again
    return lru_cache(maxsize=200_000)(stem)


@dataclass(frozen=True)
class Tokenizer:
    """Splits a text into lowercase words.

    The text is brought to Unicode's compatibility form NFKC first, so that a full-width or ligature
    spelling is the same word. Signs, underscores, emoji and control characters separate words.
    Chinese, which writes no blanks, is cut into words by jieba.

    Parameters
    ----------
    language : ISO 639-1 code. It decides how words are told apart (zh), stop words and stemming.
    stop_words : "none"; "language" leaves out the frequent words of the language (scikit-learn's
        list for English, those of the package stop-words for others); a path, those of a UTF-8
        file, one a line.
    stem : whether words are cut to their stems by the language's Snowball algorithm (Porter, 2001),
        after stop words are left out.

    Raises
    ------
    ValueError
        Where the language has no stop words or no stemmer, naming those that have; or the file of
        stop words is not UTF-8 text.
    FileNotFoundError
        Where there is no such file of stop words.
    """

    language: Language = "en"
    stop_words: StopWords = "none"
    stem: bool = False

    def __post_init__(self) -> None:
        problems = []
        if self.stem and self.language not in STEMMERS:
            problems.append(
                f"stem: there is no Snowball stemmer for '{self.language}' (there are for "
                f"{', '.join(sorted(STEMMERS))})"
            )
        if self.stop_words == "language" and self.language in NO_STOP_WORDS:
            have = sorted(set(get_args(Language)) - NO_STOP_WORDS)
            problems.append(
                f"stop_words: there is no list for '{self.language}' (there are for "
                f"{', '.join(have)}); give a file"
            )
        if isinstance(self.stop_words, Path) and not self.stop_words.is_file():
            raise FileNotFoundError(
                f"stop_words: there is no file {self.stop_words}{nearest_file(self.stop_words)}"
            )
        if problems:
            raise ValueError("; ".join(problems))

    def __call__(self, text: str) -> list[str]:
        """The words of `text` in order; none is a possible outcome."""
        words = _words(text)
        if self.language == "zh":
            words = list(chain.from_iterable(map(_segmented, words)))
        if self.stop_words != "none":
            left_out = self._left_out()
            words = [word for word in words if word not in left_out]
        if self.stem:
            words = list(map(_stemmer(self.language), words))
        return words

    def state(self) -> tuple[Language, StopWords, int, bool]:
        """What decides the words of a text in this process, quickly told."""
        path = self.stop_words if isinstance(self.stop_words, Path) else None
        modified = path.stat().st_mtime_ns if path else 0
        return self.language, self.stop_words, modified, self.stem

    def _left_out(self) -> frozenset[str]:
        language, stop_words, modified, _ = self.state()
        try:
            return _stop_words(language, stop_words, modified)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"stop_words: {self.stop_words} is not UTF-8 text ({error.reason} at byte "
                f"{error.start})"
            ) from error

    def identity(self) -> dict[str, Any]:
        """What decides the words beyond the parameters: Unicode, libraries, a file's words."""
        listed = self.stop_words == "language"
        used = {
            "jieba": self.language == "zh",
            "stop-words": listed and self.language != "en",
            "scikit-learn": listed and self.language == "en",
            "snowballstemmer": self.stem,
        }
        identity: dict[str, Any] = {
            "unicode": unicodedata.unidata_version,
            "libraries": versions(*(name for name, is_used in used.items() if is_used)),
        }
        if isinstance(self.stop_words, Path):
            identity["stop_words"] = file_digest(self.stop_words)
        return identity
