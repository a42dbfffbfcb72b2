"""Words that stay in memory are those that the tokenizer gives."""

from __future__ import annotations

import os

import numpy as np
import pytest

from features.texts.corpus import Corpus
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


def words(recent, tokenizer, texts, remember=True):
    return recent.of(tokenizer, texts, remember=remember).texts()


def test_a_text_is_cut_once_and_its_words_are_the_tokenizers(cut):
    recent, tokenizer = RecentWords(), Tokenizer(stop_words="language")
    expected = [["red", "car"], ["blue", "car", "car"], [], ["red", "car"]]
    assert words(recent, tokenizer, TEXTS) == expected
    assert words(recent, Tokenizer(stop_words="language"), TEXTS, remember=False) == expected
    assert cut == TEXTS[:3]


def test_what_was_kept_before_does_not_change_how_texts_are_numbered():
    recent, tokenizer = RecentWords(), Tokenizer()
    recent.of(tokenizer, ["car blue", "zebra"], remember=True)
    for remember in (False, True, False):
        corpus = recent.of(tokenizer, TEXTS, remember=remember)
        alone = Corpus.of([tokenizer(text) for text in TEXTS])
        assert corpus.words == alone.words == ["a", "red", "car", "blue"]
        np.testing.assert_array_equal(corpus.numbers, alone.numbers)
        np.testing.assert_array_equal(corpus.lengths, alone.lengths)


def test_other_words_are_cut_anew(cut, tmp_path):
    file = tmp_path / "stop.txt"
    file.write_text("red")
    recent = RecentWords()
    assert words(recent, Tokenizer(), TEXTS[:1]) == [["a", "red", "car"]]
    assert words(recent, Tokenizer(stem=True), ["cars"]) == [["car"]]
    assert words(recent, Tokenizer(stop_words=file), TEXTS[:1]) == [["a", "car"]]
    file.write_text("car")
    os.utime(file, (1, 1))
    assert words(recent, Tokenizer(stop_words=file), TEXTS[:1]) == [["a", "red"]]


def test_what_nobody_learns_from_is_not_kept():
    recent = RecentWords()
    words(recent, Tokenizer(), TEXTS[:1], remember=False)
    assert not recent._texts
    assert not recent._number_of


def test_what_finds_no_room_is_cut_anew_until_others_take_the_place_of_all(cut):
    recent, tokenizer = RecentWords(most=5), Tokenizer()
    three, five, two = TEXTS[0], TEXTS[1], "blue bus"
    for asked in ([three, five], [five, three]):
        assert words(recent, tokenizer, asked) == [tokenizer(text) for text in asked]
    del cut[:]
    words(recent, tokenizer, [three, five])
    assert cut == [five]
    words(recent, tokenizer, [five])
    words(recent, tokenizer, [five])
    assert cut == [five, five]
    words(recent, tokenizer, [three, five, two])
    assert cut == [five, five, three, two]
