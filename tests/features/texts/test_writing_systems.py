"""What texts are written in, and encoders that cannot read them as they are set."""

from __future__ import annotations

import pytest

from features.encoders.bag_of_words import BagOfWords
from features.encoders.sentence_bert import SentenceBert
from features.encoders.tfidf import Tfidf
from features.encoders.universal_sentence import UniversalSentence
from features.encoders.word2vec import Word2Vec
from features.texts.writing_systems import letters_by_system, writing_system

ENGLISH = ["a red bicycle", "two old houses"]
CHINESE = ["红色的自行车", "两座老房子"]
THAI = ["จักรยานสีแดง", "บ้านเก่าสองหลัง"]
RUSSIAN = ["красный велосипед", "два старых дома"]
MIXED = ["iPhone 手机壳 case for phone", "USB cable 数据线 two metres long and black"]


def test_letters_are_told_by_their_system_and_other_signs_are_none():
    assert [writing_system(letter) for letter in "aж手ひ1 !"] == [
        "Latin", "Cyrillic", "Chinese characters", "Japanese kana", "", "", "",
    ]
    assert letters_by_system(["ab", "手!"]) == {"Latin": 2, "Chinese characters": 1}


@pytest.mark.parametrize("encoder", [BagOfWords, Tfidf, Word2Vec])
def test_texts_without_spaces_have_no_words_to_a_language_that_has(encoder):
    said = encoder().unfit(CHINESE)
    assert said.startswith("100% of the letters are Chinese characters, written without spaces")
    assert said.endswith("say language: zh")
    assert encoder(language="zh").unfit(CHINESE) is None
    assert "take sbert with a multilingual model" in encoder().unfit(THAI)
    assert "Thai" in encoder(language="zh").unfit(THAI)
    for texts in (ENGLISH, RUSSIAN, MIXED, [], ["123"]):
        assert encoder().unfit(texts) is None


def test_english_models_and_vectors_are_told_from_what_they_cannot_know():
    for encoder in (SentenceBert(), Word2Vec(vectors="glove-6b-50d")):
        assert encoder.unfit(ENGLISH) is None
        assert encoder.unfit(MIXED) is None
        assert "100% of the letters are not Latin (mostly Cyrillic)" in encoder.unfit(RUSSIAN)
    assert "multilingual" in SentenceBert().unfit(CHINESE)
    assert SentenceBert(model="paraphrase-multilingual-MiniLM-L12-v2").unfit(RUSSIAN) is None
    assert Word2Vec().unfit(RUSSIAN) is None


@pytest.mark.parametrize("texts", [ENGLISH, CHINESE, THAI, RUSSIAN, MIXED, [], ["ça été über"]])
def test_a_model_of_many_languages_reads_what_it_has_learned(texts):
    assert UniversalSentence().unfit(texts) is None


def test_a_model_of_many_languages_is_told_from_what_it_has_not_learned():
    greek = UniversalSentence().unfit(["ένα κόκκινο ποδήλατο", "δύο παλιά σπίτια"])
    assert greek.startswith("100% of the letters are of a script that it has not learned (mostly G")
    vietnamese = UniversalSentence().unfit(["một chiếc xe đạp màu đỏ", "hai ngôi nhà cũ"])
    assert "Vietnamese" in vietnamese
    assert "take sbert with a model that has learned the language" in vietnamese
