"""Sentence models from folders, on a processor and on a GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.encoders.sentence_bert import SentenceBert
from features.texts.sentence_models import loaded
from tests.support.random_sentences import WORDS, random_sentence_model

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_folder_is_a_model_and_a_text_has_the_same_bits_in_any_company(tmp_path: Path) -> None:
    encoder = SentenceBert(model=str(random_sentence_model(tmp_path)))
    texts = [" ".join(WORDS[: 1 + number % 5]) for number in range(40)]
    vectors = encoder.transform(texts).array()
    assert vectors.shape == (40, 32)
    np.testing.assert_array_equal(encoder.transform(texts[7:3:-1]).array(), vectors[7:3:-1])



@pytest.mark.gpu
def test_a_gpu_gives_the_vectors_of_a_cpu_in_any_company(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(random_sentence_model(tmp_path))
    texts = [" ".join(WORDS[: 1 + number % 5]) for number in range(40)]
    encoder = SentenceBert(model=folder)
    on_gpu = encoder.transform(texts).array()
    np.testing.assert_array_equal(encoder.transform(texts[7:3:-1]).array(), on_gpu[7:3:-1])
    half = SentenceBert(model=folder, precision="bfloat16").transform(texts).array()
    assert (half * on_gpu).sum(axis=1).min() > 0.999
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    loaded.cache_clear()
    try:
        on_cpu = encoder.transform(texts).array()
        np.testing.assert_allclose(on_cpu, on_gpu, rtol=0, atol=1e-4)
    finally:
        loaded.cache_clear()
