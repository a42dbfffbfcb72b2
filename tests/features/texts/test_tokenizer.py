"""The tokeniser: words of any language."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.texts.languages import NO_STOP_WORDS, STEMMERS, Language
from features.texts.tokenizer import Tokenizer


@pytest.mark.parametrize(("text", "words"), [
    ("Red CARS, 4x4!", ["red", "cars", "4x4"]),
    ("snake_case-name", ["snake", "case", "name"]),
    ("\ufb01ne \uff21\uff22", ["fine", "ab"]),  # a ligature and full-width letters
    ("Cafe\u0301 caf\u00e9", ["caf\u00e9", "caf\u00e9"]),  # two spellings of one word
    ("हिन्दी पाठ", ["हिन्दी", "पाठ"]),  # vowel signs belong to their words
    ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
    ("红色 汽车", ["红色", "汽车"]),
    ("a\x00b\x07c\u200bd", ["a", "b", "c", "d"]),
    ("😀 🎉", []),
    ("", []),
])
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert Tokenizer()(text) == words


def test_english_stop_words_are_left_out() -> None:
    assert Tokenizer(stop_words="language")("The cat and THE dog") == ["cat", "dog"]


@pytest.mark.parametrize(("tokenizer", "text", "words"), [
    (Tokenizer("zh"), "我喜欢红色的汽车 BMW3", ["我", "喜欢", "红色", "的", "汽车", "bmw3"]),
    (Tokenizer("zh", "language"), "我喜欢红色的汽车", ["喜欢", "红色", "汽车"]),
    (Tokenizer("de", "language"), "Die Häuser und das Auto", ["häuser", "auto"]),
    (Tokenizer("de", "language", stem=True), "Die Häuser und das Auto", ["haus", "auto"]),
    (Tokenizer("en", stem=True), "Running dogs ran happily", ["run", "dog", "ran", "happili"]),
    (Tokenizer("ru", stem=True), "красные машины", ["красн", "машин"]),
])
def test_words_by_language(tokenizer: Tokenizer, text: str, words: list[str]) -> None:
    assert tokenizer(text) == words


@pytest.mark.parametrize("language", get_args(Language))
def test_every_language_has_what_its_tables_say(language: str) -> None:
    """Stop words are the tokeniser's own words; what is missing is refused, with who has it."""
    plain = Tokenizer(language)  # type: ignore[arg-type]
    if language in NO_STOP_WORDS:
        with pytest.raises(ValueError, match=f"no list for '{language}'.*en, "):
            Tokenizer(language, "language")  # type: ignore[arg-type]
    else:
        chosen = Tokenizer(language, "language")  # type: ignore[arg-type]
        left_out = chosen._left_out()
        assert left_out
        assert all(chosen(word) == [] for word in left_out if plain(word) == [word])
    if language in STEMMERS:
        assert Tokenizer(language, stem=True)("abc 123")  # type: ignore[arg-type]
    else:
        with pytest.raises(ValueError, match=f"no Snowball stemmer for '{language}'"):
            Tokenizer(language, stem=True)  # type: ignore[arg-type]


def test_all_that_is_wrong_with_a_language_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(STEMMERS, "eo")
    with pytest.raises(ValueError, match=r"stem: there is no .*; stop_words: there is no list"):
        Tokenizer("eo", "language", stem=True)


def test_stop_words_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("Red\ndon't\n\n", encoding="utf-8")
    before = Tokenizer(stop_words=path)
    assert before("A red car: don't!") == ["a", "car"]
    identity = before.identity()
    path.write_text("car\n", encoding="utf-8")
    assert Tokenizer(stop_words=path)("A red car") == ["a", "red"]
    assert Tokenizer(stop_words=path).identity() != identity
    with pytest.raises(FileNotFoundError, match=r"own\.tx; did you mean own\.txt\?"):
        Tokenizer(stop_words=tmp_path / "own.tx")
    path.write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match=r"own\.txt is not UTF-8 text"):
        Tokenizer(stop_words=path)("a")


@given(st.text())
@settings(max_examples=80)
def test_tokenising_the_words_again_changes_nothing(text: str) -> None:
    words = Tokenizer()(text)
    assert all(word and not word.isspace() for word in words)
    assert Tokenizer()(" ".join(words)) == words
