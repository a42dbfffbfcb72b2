"""The language of texts, by their letters and the words that it cannot do without."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import get_args

from features.texts.languages import NO_STOP_WORDS, Language
from features.texts.writing_systems import UNSPACED, letters_by_system

# What a writing system alone tells, of the languages that have words here.
BY_SYSTEM: dict[str, Language] = {"Greek": "el", "Hebrew": "he", "Hangul": "ko", "Armenian": "hy",
                                  "Tamil": "ta", "Gujarati": "gu", "Chinese characters": "zh"}
MOST = 0.5  # share of letters that one writing system must have
ENOUGH = 0.05  # share of words that must be a language's own function words
SHOWN = 3
LEAD = 1.2  # by which it must have more than the next
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Guess:
    """A language, None where none can be told, and what tells it."""

    language: Language | None
    why: str


def language_of(texts: Sequence[str]) -> Guess:
    """The language of most of the texts.

    Letters of Greek, say, are Greek; where languages share theirs, the one whose function words
    ("the", "und", "que") make most of the text. Short texts such as titles may have too few of
    these.
    """
    systems = letters_by_system(texts)
    if not systems:
        return Guess(None, "no letters")
    system, letters = systems.most_common(1)[0]
    share = letters / systems.total()
    if "Japanese kana" in systems and system in ("Japanese kana", "Chinese characters"):
        return Guess(None, "Japanese, written without spaces")
    if share >= MOST and system in BY_SYSTEM:
        return Guess(BY_SYSTEM[system], f"{share:.0%} of the letters are {system}")
    if system in UNSPACED:
        return Guess(None, f"{system}, written without spaces")
    return _by_words(texts, system)


def _by_words(texts: Sequence[str], system: str) -> Guess:
    words = Counter(chain.from_iterable(_WORD.findall(text.casefold()) for text in texts))
    weighed = {
        language: {word: words[word] * weight for word, weight in its_words.items() if words[word]}
        for language, its_words in _function_words().items()
    }
    shares = {language: sum(of.values()) / words.total() for language, of in weighed.items()}
    (best, share), (_, second) = sorted(shares.items(), key=lambda pair: -pair[1])[:2]
    if share < ENOUGH or share < LEAD * second:
        return Guess(None, f"{system} letters, and too few function words to tell a language")
    typical = sorted(weighed[best], key=lambda word: -weighed[best][word])[:SHOWN]
    return Guess(best, f"function words such as {', '.join(typical)}")


@cache
def _function_words() -> dict[Language, dict[str, float]]:
    """The stop words of each language, each divided among the languages that have it."""
    from stop_words import get_stop_words

    lists = {
        language: set(get_stop_words(language))
        for language in get_args(Language)
        if language not in NO_STOP_WORDS
    }
    lists["sk"] -= lists["en"]  # the package's Slovak list holds English words
    languages = Counter(chain.from_iterable(lists.values()))
    return {language: {word: 1 / languages[word] for word in words}
            for language, words in lists.items()}
