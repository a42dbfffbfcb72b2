"""Writing systems of texts, and which of them no tokeniser here serves as it is set."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence, Set

import numpy as np

LOOKED_AT = 1000  # texts, evenly over all: enough to know what they are written in
UNSPLIT = 0.2  # share of letters written without spaces from which on words cannot be told
FOREIGN = 0.3  # share of letters that are not Latin from which on an English model is the wrong one
VIETNAMESE = 0.05  # share of its own letters from which on a text is Vietnamese: a tenth at least
_VIETNAMESE = re.compile("[\u01a0\u01a1\u01af\u01b0\u1ea0-\u1ef9]")
_CJK = {"CJK": "Chinese characters", "HIRAGANA": "Japanese kana", "KATAKANA": "Japanese kana"}
# Written without spaces between words: a run of letters is a sentence, not a word.
UNSPACED = frozenset({"Chinese characters", "Japanese kana", "Thai", "Lao", "Khmer", "Myanmar"})


def writing_system(letter: str) -> str:
    """Writing system of a letter, by its Unicode name; nothing for a sign that is no letter."""
    if not letter.isalpha():
        return ""
    first = unicodedata.name(letter, "").split(" ")[0]
    return _CJK.get(first, first.capitalize())


def letters_by_system(texts: Sequence[str]) -> Counter[str]:
    """Letters of the texts in each writing system."""
    letters: Counter[str] = Counter()
    for text in texts:
        letters.update(text)
    systems: Counter[str] = Counter()
    for letter, count in letters.items():
        systems[writing_system(letter)] += count
    del systems[""]
    return systems


def unsplit_remark(texts: Sequence[str], language: str) -> str | None:
    """Why these texts have no words to a tokeniser of this language, and the remedy."""
    systems = letters_by_system(_some(texts))
    served = {"Chinese characters"} if language == "zh" else set[str]()
    unsplit = {name: systems[name] for name in UNSPACED - served if systems[name]}
    share = sum(unsplit.values()) / max(systems.total(), 1)
    if share < UNSPLIT:
        return None
    main = max(unsplit, key=lambda name: unsplit[name])
    remedy = (
        "say language: zh"
        if main == "Chinese characters"
        else "take sbert with a multilingual model, which splits them itself"
    )
    return (
        f"{share:.0%} of the letters are {main}, written without spaces, and with language: "
        f"{language} a whole run of them is one word: {remedy}"
    )


def foreign_remark(texts: Sequence[str], remedy: str) -> str | None:
    """Why an English model is the wrong one for these texts, and the remedy."""
    systems = letters_by_system(_some(texts))
    share = 1 - systems["Latin"] / max(systems.total(), 1)
    if not systems or share < FOREIGN:
        return None
    del systems["Latin"]
    main = max(systems, key=lambda name: systems[name])
    return (
        f"{share:.0%} of the letters are not Latin (mostly {main}), and it knows English: {remedy}"
    )


def unlearned_remark(texts: Sequence[str], learned: Set[str], remedy: str) -> str | None:
    """Why a model of these writing systems is the wrong one for these texts, and the remedy.

    Vietnamese is Latin, and yet told by its letters: of those models that know many languages, few
    know it.
    """
    looked_at = _some(texts)
    systems = letters_by_system(looked_at)
    letters = max(systems.total(), 1)
    share = sum(count for name, count in systems.items() if name not in learned) / letters
    if share >= FOREIGN:
        main = max(systems.keys() - learned, key=lambda name: systems[name])
        return (
            f"{share:.0%} of the letters are of a script that it has not learned (mostly {main}): "
            f"{remedy}"
        )
    vietnamese = sum(len(_VIETNAMESE.findall(text)) for text in looked_at) / letters
    if vietnamese < VIETNAMESE:
        return None
    return f"the letters are those of Vietnamese, which it has not learned: {remedy}"


def _some(texts: Sequence[str]) -> list[str]:
    """At most LOOKED_AT of the texts, evenly over all."""
    positions = np.linspace(0, len(texts) - 1, min(len(texts), LOOKED_AT)).astype(int)
    return [texts[position] for position in positions]
