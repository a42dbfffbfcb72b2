"""The tokeniser, bag of words and TF-IDF."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sklearn.feature_extraction.text import TfidfVectorizer

from features.bag_of_words import BagOfWords, Ngrams, Tfidf
from features.text import Tokenizer

TEXTS = ["a red car", "a blue car and a red bus", "the bus", ""]


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
    assert Tokenizer("english")("The cat and THE dog") == ["cat", "dog"]


@given(st.text())
@settings(max_examples=80, deadline=None)
def test_tokenising_the_words_again_changes_nothing(text: str) -> None:
    words = Tokenizer()(text)
    assert all(word and not word.isspace() for word in words)
    assert Tokenizer()(" ".join(words)) == words


def test_counts_of_words_and_phrases() -> None:
    encoder = BagOfWords(ngrams=(1, 2)).fit(["red red car"])
    row = encoder.transform(["red car red car blue"]).array().toarray()[0]
    assert {term: row[column] for term, column in encoder.vocabulary_.items()} == {
        "red": 2, "car": 2, "red red": 0, "red car": 2}


def test_phrases_are_formed_after_stop_words_are_left_out() -> None:
    encoder = BagOfWords(ngrams=(2, 2), stop_words="english").fit(["fork and knife"])
    assert set(encoder.vocabulary_) == {"fork knife"}


def test_rare_terms_are_left_out_and_frequent_ones_kept() -> None:
    assert set(BagOfWords(min_df=2).fit(TEXTS).vocabulary_) == {"a", "red", "car", "bus"}
    assert set(BagOfWords(max_features=1).fit(TEXTS).vocabulary_) == {"a"}


def test_tfidf_is_scikit_learns_on_the_same_words() -> None:
    reference = TfidfVectorizer(ngram_range=(1, 2), tokenizer=Tokenizer(), token_pattern=None)
    expected = reference.fit(TEXTS).transform(["red bus", "bus", "green"]).toarray()
    mine = Tfidf().fit(TEXTS).transform(["red bus", "bus", "green"]).array().toarray()
    np.testing.assert_allclose(mine, expected, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(mine, axis=1), [1, 1, 0], rtol=1e-6)


@pytest.mark.parametrize("cls", [BagOfWords, Tfidf])
@pytest.mark.parametrize("training", [[], ["", "  "], ["one", "two"]])
def test_an_empty_vocabulary_gives_one_column_of_zeros(cls: type[BagOfWords], training: list[str]) -> None:
    block = cls(min_df=2).fit(training).transform(["one", "", "three"])
    assert block.values.shape == (3, 1)
    assert block.array().nnz == 0


def test_refitting_after_an_empty_vocabulary_forgets_it() -> None:
    encoder = Tfidf().fit([""]).fit(["red car"])
    assert set(encoder.vocabulary_) == {"red", "car", "red car"}
    assert encoder.transform(["car"]).array().nnz == 1


def test_errors_that_are_not_about_the_vocabulary_are_raised() -> None:
    with pytest.raises(ValueError, match="max_features"):
        BagOfWords(max_features=-1).fit(["red car"])


def test_ngrams_are_checked_by_their_type() -> None:
    adapter = TypeAdapter(Ngrams)
    assert adapter.validate_python([1, 3]) == (1, 3)
    for wrong in ([2, 1], [0, 1]):
        with pytest.raises(ValidationError, match="1 <= shortest <= longest"):
            adapter.validate_python(wrong)
