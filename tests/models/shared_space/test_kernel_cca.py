"""Kernel canonical correlations: kernel features, hubs, and what missing samples get."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from features.block import Block
from models.shared_space.kernel_cca import ColumnScales, KernelCorrelation
from models.shared_space.landmarks import LandmarkKernel
from models.views import Views


def pairs(count: int, seed: int = 0) -> Views:
    """Pictures and texts that share two hidden numbers, one of them by its size alone."""
    draw = np.random.default_rng(seed)
    hidden = draw.normal(size=(count, 2))
    image = np.column_stack([hidden[:, 0], np.abs(hidden[:, 1]), draw.normal(size=(count, 3)) / 3])
    text = np.column_stack([hidden[:, 0], hidden[:, 1] ** 2, draw.normal(size=(count, 3)) / 3])
    return Views(Block.of(image.astype(np.float32)), Block.of(text.astype(np.float32)))


def test_products_of_all_landmarks_are_the_kernel():
    rows = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    kernel = LandmarkKernel(components=40, landmarks=40, sharpness=0.7)
    features = kernel.fit(Block.of(rows)).transform(Block.of(rows)).astype(np.float64)
    distances = np.square(rows[:, None] - rows).sum(axis=2)
    median = np.median(distances[np.triu_indices(40, 1)])
    gram = np.exp(-0.7 * distances / median)
    centred = gram - gram.mean(axis=0) - gram.mean(axis=1)[:, None] + gram.mean()
    assert features @ features.T == pytest.approx(centred / np.trace(centred) * 40, abs=2e-3)
    assert np.square(features).sum(axis=1).mean() == pytest.approx(1, abs=1e-3)


def test_new_pairs_find_each_other():
    train, test = pairs(300), pairs(40, seed=1)
    space = KernelCorrelation(dimensions=6, regularisation=0.1).fit(train)
    products = space.project("image", test.image) @ space.project("text", test.text).T
    ranks = (products > np.diag(products)[:, None]).sum(axis=1)
    assert np.median(ranks) <= 2  # 20 by chance
    assert (np.diff(space.correlations_) <= 1e-12).all()


def test_products_take_off_what_is_near_to_everything():
    train, test = pairs(200), pairs(30, seed=1)
    plain = KernelCorrelation(hubness=0.0).fit(train)
    space = KernelCorrelation(hubness=0.5).fit(train)
    image, text = plain.project("image", test.image), plain.project("text", test.text)
    cosines = image @ text.T
    assert np.abs(cosines).max() <= 1 + 1e-5
    banks = plain.project("image", train.image), plain.project("text", train.text)
    of_image = np.sort(image[:, :-2] @ banks[1][:, :-2].T, axis=1)[:, -10:].mean(axis=1)
    of_text = np.sort(text[:, :-2] @ banks[0][:, :-2].T, axis=1)[:, -10:].mean(axis=1)
    corrected = space.project("image", test.image) @ space.project("text", test.text).T
    expected = cosines - 0.5 * of_image[:, None] - 0.5 * of_text
    assert corrected == pytest.approx(expected, abs=1e-5)


def test_a_sample_that_lacks_a_modality_is_at_the_origin_and_teaches_nothing():
    train = pairs(60)
    missing = train.image.index.copy()
    missing[50:] = -1
    lacking = Views(Block(train.image.values, missing), train.text)
    space = KernelCorrelation(dimensions=4).fit(lacking)
    assert not space.project("image", lacking.image)[50:].any()
    alone = KernelCorrelation(dimensions=4).fit(lacking.take(np.arange(50)))
    points = [of.project("text", train.text) for of in (space, alone)]
    assert points[0] == pytest.approx(points[1], abs=1e-5)


def test_columns_that_are_never_negative_are_rooted_and_all_are_scaled():
    train = pairs(80)
    values = train.image.values * np.float32([1, 5, 0.1, 1, 1])
    values[:, 1] = np.square(values[:, 1])
    scales = ColumnScales.of(Block.of(values))
    assert scales.rooted.tolist() == [False, True, False, False, False]
    scaled = scales(Block.of(values)).array()
    assert scaled.mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-5)
    assert scaled.std(axis=0) == pytest.approx(np.ones(5), abs=1e-5)
    roots = np.sqrt(values[:, 1])
    assert scaled[:, 1] == pytest.approx((roots - roots.mean()) / roots.std(), abs=1e-4)


def test_sparse_counts_are_rooted_and_stay_sparse():
    counts = sparse.csr_matrix(np.float32([[0, 4, 0], [9, 0, 0], [0, 1, 0]]))
    scaled = ColumnScales.of(Block.of(counts))(Block.of(counts))
    assert scaled.is_sparse
    assert scaled.array().toarray().tolist() == [[0, 2, 0], [3, 0, 0], [0, 1, 0]]


def test_columns_that_never_vary_say_nothing():
    values = np.ones((5, 2), dtype=np.float32)
    values[:, 1] = np.arange(5)
    scaled = ColumnScales.of(Block.of(values))(Block.of(values)).array()
    assert not scaled[:, 0].any()
    assert np.isfinite(scaled).all()
