"""The multilingual Universal Sentence Encoder: what it knows, and where it comes from."""

from __future__ import annotations

import numpy as np
import pytest

from features.encoders import universal_sentence
from features.encoders.universal_sentence import MODULE, UniversalSentence

SENTENCES = {
    "en": ["A black dog runs through the water.", "Two children play football in the park.",
           "A woman sits on a bench and reads a book.", "Several people dance at a wedding."],
    "de": ["Ein schwarzer Hund rennt durch das Wasser.", "Zwei Kinder spielen im Park Fußball.",
           "Eine Frau sitzt auf einer Bank und liest ein Buch.",
           "Mehrere Menschen tanzen auf einer Hochzeit."],
    "vi": ["Một con chó đen chạy qua nước.", "Hai đứa trẻ chơi bóng đá trong công viên.",
           "Một người phụ nữ ngồi trên ghế dài và đọc sách.",
           "Nhiều người nhảy múa tại đám cưới."],
}


@pytest.fixture
def vectors() -> dict[str, np.ndarray]:
    pytest.importorskip(MODULE, reason=f"needs the pip package {universal_sentence.PACKAGE}")
    encoder = UniversalSentence()
    return {language: encoder.transform(texts).array() for language, texts in SENTENCES.items()}


def cosines(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those of translations, and those of sentences that mean something else."""
    products = first @ second.T
    return np.diag(products), products[~np.eye(len(products), dtype=bool)]


def test_translations_are_near_and_other_sentences_are_not(vectors: dict[str, np.ndarray]) -> None:
    translations, others = cosines(vectors["en"], vectors["de"])
    assert translations.min() > 0.6
    assert others.max() < 0.4
    np.testing.assert_allclose(np.linalg.norm(vectors["de"], axis=1), 1, rtol=1e-5)


def test_vietnamese_says_nothing_to_it_and_that_is_told(vectors: dict[str, np.ndarray]) -> None:
    translations, others = cosines(vectors["en"], vectors["vi"])
    assert abs(translations.mean() - others.mean()) < 0.1
    assert "Vietnamese" in UniversalSentence().unfit(SENTENCES["vi"])


def test_what_is_beyond_the_most_characters_is_not_read() -> None:
    pytest.importorskip(MODULE, reason=f"needs the pip package {universal_sentence.PACKAGE}")
    short = UniversalSentence(max_characters=5)
    cut, whole = short.transform(["a dog runs", "a dog"]).array()
    assert cut.tobytes() == whole.tobytes()
    assert short.counts(["a dog runs", "a dog", " "]) == {"empty texts": 1, "texts cut off": 1}


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(universal_sentence, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install \"modalgrid\[use\]\""):
        UniversalSentence().identity()
