"""Which encoders a first grid compares: those that run here, and know the texts' language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from features.encoders.cnn import CNN
from features.encoders.sentence_bert import SentenceBert
from features.encoders.word2vec import Word2Vec
from features.machine.extras import lacking, not_installed
from features.texts.sentence_models import MINILM_PACKAGE
from features.texts.tokenizer import segmenting
from features.texts.writing_systems import letters_by_system
from pipeline.config.component_lists import default_fusions
from pipeline.start.draft import Draft, Instead, Line
from pipeline.start.languages import Guess, language_of

MULTILINGUAL = "paraphrase-multilingual-MiniLM-L12-v2"
LOOKED_AT = 1000  # texts


def image_encoders() -> tuple[Line, ...]:
    """Encoders of pictures that are installed, with their weights."""
    missing = not_installed(CNN().requires)
    if missing:
        return (Line("image", "handcrafted", "colour, texture and shape", Instead("cnn", missing)),)
    return (Line("image", "cnn", "EfficientNet-Lite0, trained on ImageNet"),)


def text_encoders(texts: Sequence[str]) -> tuple[tuple[Line, ...], Guess]:
    """Encoders of texts, and the language that these are in."""
    step = max(1, len(texts) // LOOKED_AT)
    some = texts[::step]
    guess = language_of(some)
    if guess.language in (None, "en") and _is_latin(some):
        return _both(_words(None), _english()), guess
    missing = not_installed(segmenting(guess.language or ""))
    if missing:
        cut = Instead(f"language: {guess.language}", missing)
        return _both(replace(_words(None), why="whole runs of characters"), cut), guess
    # no sentence model that comes by pip knows other languages
    better = f"sbert: {{model: {MULTILINGUAL}}} knows 50 languages, and is fetched when first used"
    return _both(_words(guess.language), _trained_words(guess.language, better)), guess


def left_out(draft: Draft) -> tuple[Line, ...]:
    """What a grid would compare if it were installed, and what installs it; or nothing."""
    entries = (*draft.image, *draft.text)
    better = [entry.instead for entry in entries if entry.instead is not None]
    better += [Instead(*lacked) for lacked in default_fusions(draft.content("")).lacked]
    if not better:
        return ()
    modules = dict.fromkeys(chain.from_iterable(instead.modules for instead in better))
    names = ", ".join(instead.name for instead in better)
    return (Line("left out", names, lacking("this", tuple(modules))),)


def language_line(guess: Guess) -> Line:
    """What is said of the language of texts."""
    if guess.language is None:
        return Line("language", "not clear", f"{guess.why}; words are cut as in English")
    return Line("language", guess.language, guess.why)


def _both(words: Line, vectors: Line | Instead) -> tuple[Line, ...]:
    """Words, and the vectors of texts; or words, and what there would be if it were installed."""
    if isinstance(vectors, Instead):
        return (replace(words, instead=vectors),)
    return words, vectors


def _words(language: str | None) -> Line:
    value = {"tfidf": {"ngrams": [1, 2], **_spoken(language)}}
    return Line("text", value, "words and pairs of words")


def _spoken(language: str | None) -> dict[str, str]:
    return {} if language in (None, "en") else {"language": language}


def _trained_words(language: str | None, better: str) -> Line | Instead:
    missing = not_installed(Word2Vec().requires)
    if missing:
        return Instead("word2vec", missing)
    spoken = _spoken(language)
    value: Any = {"word2vec": spoken} if spoken else "word2vec"
    return Line("text", value, f"learned from these texts; {better}")


def _english() -> Line | Instead:
    missing = not_installed((*SentenceBert().requires, MINILM_PACKAGE))
    if not missing:
        why = "sentence vectors of all-MiniLM-L6-v2, which knows English"
        return Line("text", "sbert", why)
    sentences = Instead("sbert", missing)
    trained = _trained_words(None, "better is sbert")
    return sentences if isinstance(trained, Instead) else replace(trained, instead=sentences)


def _is_latin(texts: Sequence[str]) -> bool:
    systems = letters_by_system(texts)
    return not systems or systems.most_common(1)[0][0] == "Latin"
