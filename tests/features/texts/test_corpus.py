"""Texts as numbers of their words."""

from __future__ import annotations

import numpy as np
import pytest

from features.texts.corpus import Corpus, sums_of_texts

TEXTS = [["a", "b", "a"], [], ["c", "b"]]


def test_words_are_numbered_by_their_first_occurrence_and_come_back() -> None:
    corpus = Corpus.of(TEXTS)
    assert corpus.words == ["a", "b", "c"]
    assert corpus.numbers.tolist() == [0, 1, 0, 2, 1]
    assert corpus.ends.tolist() == [3, 3, 5]
    assert corpus.texts() == TEXTS


def test_words_and_the_texts_that_hold_them_are_counted() -> None:
    corpus = Corpus.of(TEXTS)
    assert corpus.counts.tolist() == [2, 2, 1]
    assert corpus.document_frequencies.tolist() == [1, 2, 1]


def test_rows_of_a_vocabulary_and_sums_by_text() -> None:
    corpus = Corpus.of(TEXTS)
    assert corpus.rows({"b": 7, "z": 1}).tolist() == [-1, 7, -1, -1, 7]
    assert sums_of_texts(np.array([1.0, 2, 3, 4, 5]), corpus.ends).tolist() == [6, 0, 9]


@pytest.mark.parametrize("texts", [[], [[]], [[], []]])
def test_texts_without_words(texts: list[list[str]]) -> None:
    corpus = Corpus.of(texts)
    assert corpus.texts() == texts
    assert corpus.rows({"a": 0}).tolist() == []
    assert corpus.counts.tolist() == corpus.document_frequencies.tolist() == []
    assert sums_of_texts(np.zeros(0), corpus.ends).tolist() == [0.0] * len(texts)
