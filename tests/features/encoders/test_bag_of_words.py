"""Bag of words and TF-IDF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sklearn.feature_extraction.text import TfidfVectorizer

from features.encoders.bag_of_words import BagOfWords
from features.encoders.tfidf import Tfidf
from features.texts.terms import MinDf, Ngrams
from features.texts.tokenizer import Tokenizer

TEXTS = ["a red car", "a blue car and a red bus", "the bus", ""]


def test_counts_of_words_and_phrases() -> None:
    encoder = BagOfWords(ngrams=(1, 2)).fit(["red red car"])
    row = encoder.transform(["red car red car blue"]).array().toarray()[0]
    assert {term: row[column] for term, column in encoder.vocabulary_.items()} == {
        "red": 2, "car": 2, "red red": 0, "red car": 2}


def test_phrases_are_formed_after_stop_words_are_left_out() -> None:
    encoder = BagOfWords(ngrams=(2, 2), stop_words="language").fit(["fork and knife"])
    assert set(encoder.vocabulary_) == {"fork knife"}


def test_rare_terms_are_left_out_and_frequent_ones_kept() -> None:
    assert set(BagOfWords(min_df=2).fit(TEXTS).vocabulary_) == {"a", "red", "car", "bus"}
    assert set(BagOfWords(max_features=1).fit(TEXTS).vocabulary_) == {"a"}


def test_terms_in_too_many_texts_are_left_out() -> None:
    assert set(BagOfWords(max_df=0.25).fit(TEXTS).vocabulary_) == {"blue", "and", "the"}
    assert set(BagOfWords(min_df=0.5).fit(TEXTS).vocabulary_) == {"a", "red", "car", "bus"}
    assert not BagOfWords(min_df=3, max_df=0.5).fit(TEXTS).vocabulary_


def test_texts_without_a_known_term_are_counted() -> None:
    encoder = Tfidf().fit(["red car"])
    assert encoder.counts(["a red bus", "", "bus", "car"]) == {"texts without a known term": 2}


def test_the_identity_tells_what_decides_the_words(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("red")
    identities = [
        repr(BagOfWords(**changed).identity())
        for changed in (  # type: ignore[arg-type]
            {},
            {"language": "zh"},
            {"language": "de", "stop_words": "language"},
            {"stem": True},
            {"stop_words": path},
        )
    ]
    assert len(set(identities)) == len(identities)


def test_tfidf_is_scikit_learns_on_the_same_words() -> None:
    reference = TfidfVectorizer(ngram_range=(1, 2), tokenizer=Tokenizer(), token_pattern=None)
    expected = reference.fit(TEXTS).transform(["red bus", "bus", "green"]).toarray()
    mine = Tfidf().fit(TEXTS).transform(["red bus", "bus", "green"]).array().toarray()
    np.testing.assert_allclose(mine, expected, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(mine, axis=1), [1, 1, 0], rtol=1e-6)


SOME_TEXTS = st.lists(
    st.lists(st.sampled_from("abcdef"), max_size=6).map(" ".join), min_size=1, max_size=8
)


@given(SOME_TEXTS, st.data(), st.sampled_from([1, 2, 0.4]), st.sampled_from([1.0, 0.5]),
       st.sampled_from([None, 1, 3]), st.sampled_from([BagOfWords, Tfidf]))
@settings(max_examples=150)
def test_terms_chosen_from_counts_of_all_texts_are_those_of_the_training_texts(
    texts: list[str],
    data: st.DataObject,
    min_df: float,
    max_df: float,
    most: int | None,
    cls: type[BagOfWords],
) -> None:
    training = np.array(
        data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=10)), dtype=np.int64
    )
    encoder = cls(ngrams=(1, 2), min_df=min_df, max_df=max_df, max_features=most)
    plain = encoder.unfitted().fit([texts[row] for row in training])
    stage = encoder.frozen_stage().transform(texts)
    staged = encoder.fit_features(stage.take(training))
    expected, values = plain.transform(texts).values, staged.transform_features(stage).values
    np.testing.assert_array_equal(values.toarray(), expected.toarray())
    assert staged.counts(texts, values) == plain.counts(texts)


@pytest.mark.parametrize("cls", [BagOfWords, Tfidf])
@pytest.mark.parametrize("training", [[], ["", "  "], ["one", "two"]])
def test_an_empty_vocabulary_gives_one_column_of_zeros(
    cls: type[BagOfWords], training: list[str]
) -> None:
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


def test_document_frequencies_are_a_number_or_a_share() -> None:
    adapter = TypeAdapter(MinDf)
    assert [adapter.validate_python(value) for value in (2, 0.25)] == [2, 0.25]
    with pytest.raises(ValidationError, match="whole number of texts or a share"):
        adapter.validate_python(1.5)
