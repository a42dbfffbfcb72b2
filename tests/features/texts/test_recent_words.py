"""Words that stay in memory are those that the tokenizer gives."""

from __future__ import annotations

import os

import pytest

from features.texts.recent_words import RecentWords
from features.texts.tokenizer import Tokenizer

TEXTS = ["A red car", "a blue CAR, a car", "", "A red car"]


@pytest.fixture
def cut(monkeypatch):
    """The texts that a tokenizer was asked to cut."""
    texts, call = [], Tokenizer.__call__

    def counted(self, text):
        texts.append(text)
        return call(self, text)

    monkeypatch.setattr(Tokenizer, "__call__", counted)
    return texts


def test_a_text_is_cut_once_and_its_words_are_the_tokenizers(cut):
    recent, tokenizer = RecentWords(), Tokenizer(stop_words="language")
    expected = [["red", "car"], ["blue", "car", "car"], [], ["red", "car"]]
    assert recent.of(tokenizer, TEXTS, remember=True) == expected
    again = recent.of(Tokenizer(stop_words="language"), TEXTS, remember=False)
    assert again == expected
    assert cut == TEXTS[:3]
    again[0].append("changed")
    assert recent.of(tokenizer, TEXTS[:1], remember=False) == expected[:1]


def test_other_words_are_cut_anew(cut, tmp_path):
    file = tmp_path / "stop.txt"
    file.write_text("red")
    recent = RecentWords()
    assert recent.of(Tokenizer(), TEXTS[:1], remember=True) == [["a", "red", "car"]]
    assert recent.of(Tokenizer(stem=True), ["cars"], remember=True) == [["car"]]
    assert recent.of(Tokenizer(stop_words=file), TEXTS[:1], remember=True) == [["a", "car"]]
    file.write_text("car")
    os.utime(file, (1, 1))
    assert recent.of(Tokenizer(stop_words=file), TEXTS[:1], remember=True) == [["a", "red"]]


def test_what_nobody_learns_from_is_not_kept_and_too_much_begins_anew(cut):
    recent = RecentWords(most=5)
    recent.of(Tokenizer(), TEXTS[:1], remember=False)
    recent.of(Tokenizer(), TEXTS[:2], remember=True)  # three words, then five in their place
    recent.of(Tokenizer(), [TEXTS[1], TEXTS[0]], remember=True)
    assert cut == [TEXTS[0], TEXTS[0], TEXTS[1], TEXTS[0]]
