"""Exported sentence models: a text's vector depends on that text alone."""

from __future__ import annotations

import numpy as np
import pytest

from features.encoders import exported_sentences as module
from features.encoders.exported_sentences import ExportedSentences
from features.encoders.sentence_bert import SentenceBert
from pipeline.use.exporting.sentences import exported_sentences as written
from tests.support.random_sentences import random_sentence_model

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
TEXTS = ["a dog", "", "red house over a river", "dog", "cat", "a small red tree", "tree", "cat cat"]


@pytest.fixture(scope="module", params=["sentence", "tokens"])
def exported(request, tmp_path_factory) -> ExportedSentences:
    folder = tmp_path_factory.mktemp("model")
    model = str(random_sentence_model(folder / "model"))
    return written(SentenceBert(model=model, output=request.param), folder, "text")


def vectors(encoder, texts):
    values, mask = encoder.transform(texts).sequence()
    return [of_text[there] for of_text, there in zip(values, mask, strict=True)]


def test_a_text_alone_is_the_same_to_the_bit_as_among_others(exported):
    together = vectors(exported, TEXTS)
    for text, expected in zip(TEXTS, together, strict=True):
        assert np.array_equal(vectors(exported, [text])[0], expected), text


def test_neither_order_nor_number_changes_a_bit(exported, monkeypatch):
    together = vectors(exported, TEXTS * 5)
    monkeypatch.setattr(module, "TOKENS_AT_ONCE", 8)
    backwards = vectors(exported, TEXTS[::-1])[::-1]
    for first, second in zip(together, backwards, strict=False):
        assert np.array_equal(first, second)


def test_no_texts_are_no_rows(exported):
    assert len(exported.transform([])) == 0
    assert exported.transform([]).width == 32


def test_a_damaged_file_is_named(exported, tmp_path):
    for name in ("graph", "tokenizer"):
        damaged = tmp_path / f"damaged.{name}"
        damaged.write_bytes(b"nothing of the kind")
        other = ExportedSentences(**{**exported.get_params(), name: damaged})
        with pytest.raises(ValueError, match=r"cannot be read|expected"):
            other.load()
