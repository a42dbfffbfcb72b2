"""Samples as they travel: texts come back as they were, pictures are the source's own handles."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.data.dataset import Dataset, DistinctSamples, text_digest
from pipeline.data.samples import BytesPicture
from pipeline.store.folder import FolderStore
from pipeline.tasks.encoding.samples import put_samples, samples_at
from tests.support.datasets import dataset_of

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)


def with_texts(texts: list[str]) -> Dataset:
    digests = tuple(map(text_digest, texts))
    modal = DistinctSamples(digests, texts, np.arange(len(texts)))
    return replace(dataset_of([0]), modalities={"text": modal})


@settings(max_examples=60)
@given(st.lists(ANY_TEXT, max_size=6, unique=True))
@example([])
@example([""])
@example(["", "\ud800", "\udfff\ud800", "\U0001f600", "\x00", "a\r\nb", "é" * 500, "e\u0301"])
def test_texts_come_back_as_they_were(texts):
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        reference = put_samples(with_texts(texts), "text", store)
        assert list(samples_at(reference, store)) == texts
        assert list(samples_at(reference, FolderStore(Path(folder)))) == texts


def test_equal_texts_have_an_equal_reference_and_others_another(store):
    texts = [["a", "b"], ["a", "b"], ["b", "a"], ["ab"], ["a"]]
    references = [put_samples(with_texts(given), "text", store) for given in texts]
    assert references[0] == references[1]
    assert len(set(references)) == 4
    assert len(store.entries()) == 4


def test_texts_that_were_removed_are_an_error_that_says_what_to_do(tmp_path, store):
    reference = put_samples(with_texts(["a"]), "text", store)
    with pytest.raises(FileNotFoundError, match=r"texts of this run were removed .* run again"):
        samples_at(reference, FolderStore(tmp_path / "other"))


def test_pictures_are_read_when_they_are_asked_for(store):
    handles = [BytesPicture(str(number), bytes([number])) for number in range(3)]
    digests = tuple(handle.digest() for handle in handles)
    modal = DistinctSamples(digests, handles, np.arange(3))
    reference = put_samples(replace(dataset_of([0]), modalities={"image": modal}), "image", store)
    assert samples_at(reference, store) is reference
    assert [bytes(picture) for picture in reference] == [b"\x00", b"\x01", b"\x02"]
    assert list(reference.take(np.array([2, 0]))) == [b"\x02", b"\x00"]
    assert store.entries() == []
