"""Nearly the same pictures and texts: found whatever was done to them, others left in peace."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from pipeline.config.grid import Split
from pipeline.data import near_duplicates as module
from pipeline.data.build import build
from pipeline.data.near_duplicates import near_duplicates
from pipeline.data.row_check import RowRules
from pipeline.data.samples import BytesPicture
from pipeline.folds.draw import draw
from pipeline.folds.fold import Fold
from pipeline.folds.leaks import leaks
from tests.support.samples import small_samples

LONG = "a red bicycle with two wheels, a basket, a bell and a lamp that stands by the old wall {}"


def photograph(seed: int) -> Image.Image:
    """A picture with structure at every scale, as photographs have it."""
    rng = np.random.default_rng(seed)
    layers = [
        Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8)).resize(
            (128, 128), Image.Resampling.BICUBIC
        )
        for size in (3, 6, 12, 40)
    ]
    mixed = np.mean([np.asarray(layer, dtype=float) for layer in layers], axis=0)
    return Image.fromarray(mixed.astype(np.uint8))


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=60)
    return file.getvalue()


def dataset_of(pictures, texts, store, labels=None):
    count = len(texts)
    samples = small_samples(
        count // 3,
        texts=texts,
        pictures=[BytesPicture(f"{number}.png", data) for number, data in enumerate(pictures)],
        **({} if labels is None else {"labels": labels}),
    )
    return build(samples, ["image", "text"], RowRules("fail", "none"), store)


def alike(dataset, modality, pairs):
    """Rows that hang together by pairs, as sets: every sample is distinct here."""
    index = dataset.modalities[modality].index
    row_of = {position: row for row, position in enumerate(index.tolist())}
    sets: list[set[int]] = []
    for pair in pairs.tolist():
        rows = {row_of[position] for position in pair}
        for other in [other for other in sets if other & rows]:
            rows |= other
            sets.remove(other)
        sets.append(rows)
    return sets


def test_pictures_that_were_saved_again_scaled_or_brightened(store):
    original = photograph(0)
    changed = [
        png(original),
        jpeg(original),
        png(original.resize((90, 90))),
        png(ImageEnhance.Brightness(original).enhance(1.1)),
    ]
    pictures = [*changed, *(png(photograph(seed)) for seed in range(1, 9))]
    dataset = dataset_of(pictures, [f"text {number}" for number in range(12)], store)
    assert alike(dataset, "image", near_duplicates(dataset, store)["image"]) == [{0, 1, 2, 3}]


def test_texts_that_differ_in_a_number(store):
    others = ["house", "tree", "car", "river", "mountain", "cup", "lamp", "garden", "street"]
    texts = [LONG.format(1), LONG.format(2), LONG.format(1).upper(),
             *(f"{noun} and what stands near the {noun}" for noun in others)]
    dataset = dataset_of([png(photograph(seed)) for seed in range(12)], texts, store)
    assert alike(dataset, "text", near_duplicates(dataset, store)["text"]) == [{0, 1, 2}]


def test_however_many_are_alike_pairs_are_fewer_than_samples(store):
    texts = [LONG.format(number) for number in range(60)]
    dataset = dataset_of([png(photograph(seed % 3)) for seed in range(60)], texts, store)
    near = near_duplicates(dataset, store)
    assert 50 < len(near["text"]) < 60  # MinHash misses a few
    assert len(near["image"]) == 0  # three distinct pictures, and no other is like them


def test_short_names_of_a_kind_are_left_in_peace(store):
    texts = [f"woman construction worker {number}" for number in range(12)]
    dataset = dataset_of([png(photograph(seed)) for seed in range(12)], texts, store)
    assert len(near_duplicates(dataset, store)["text"]) == 0


def test_they_are_looked_for_once(store, monkeypatch):
    dataset = dataset_of(
        [png(photograph(seed)) for seed in range(12)], [f"text {n}" for n in range(12)], store
    )
    first = near_duplicates(dataset, store)
    monkeypatch.setattr(module, "decode", None)
    again = near_duplicates(dataset, store)
    assert all(np.array_equal(first[modality], again[modality]) for modality in first)


def test_many_samples_are_looked_at_in_part(store, monkeypatch):
    monkeypatch.setattr(module, "MOST", 6)
    texts = [LONG.format(number) for number in range(12)]
    dataset = dataset_of([png(photograph(seed)) for seed in range(12)], texts, store)
    pairs = near_duplicates(dataset, store)["text"]
    assert 0 < len(np.unique(pairs)) <= 6
    assert pairs.max() <= 11


@pytest.fixture
def repeated(store):
    """Each of twelve pictures three times, saved in three ways; classes go with the picture."""
    made = [photograph(seed) for seed in range(12)]
    pictures = []
    for picture in made:
        pictures += [png(picture), jpeg(picture), png(picture.resize((90, 90)))]
    labels = [("cat", "dog", "car")[number // 3 % 3] for number in range(36)]
    return dataset_of(pictures, [f"text {number}" for number in range(36)], store, labels)


def test_those_that_straddle_folds_are_cried_out_where_they_tell_the_class(repeated, store):
    folds = draw(repeated, Split(folds=3, repeats=1), 0)
    assert [check.name for check in leaks(repeated, folds)] == []  # no picture is the very same
    (check,) = leaks(repeated, folds, near_duplicates(repeated, store))
    assert (check.name, check.severe) == ("nearly the same across folds", True)
    assert "Nearly the same pictures straddle folds" in check.sentence
    assert check.sentence.count(" and row ") == 3


def test_examples_are_of_rows_that_the_sentence_counts(store):
    """A chain through a sample that no fold learns from, and a sample that stands in both parts."""
    texts = [LONG.format(1), LONG.format(2), LONG.format(3), *(f"text {n}" for n in range(9))]
    dataset = dataset_of([png(photograph(seed)) for seed in range(12)], texts, store)
    folds = [Fold(0, 0, np.array([0, 5, 6, 7, 8]), np.array([2, 9, 10, 11]), ())]
    (check,) = leaks(dataset, folds, near_duplicates(dataset, store))
    assert "1 test row has a text" in check.sentence
    assert f"row {dataset.ids[2]} (" in check.sentence
    assert f"row {dataset.ids[0]} (" in check.sentence


def test_those_that_folds_keep_together_are_no_matter(repeated, store):
    whole = Fold(0, 0, np.arange(18), np.arange(18, 36), ())
    assert leaks(repeated, [whole], near_duplicates(repeated, store)) == ()
