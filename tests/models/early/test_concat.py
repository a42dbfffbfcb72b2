"""Block scaling and early fusion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from features.block import Block
from models import CLASSIFIERS
from models.classifiers.logistic import Logistic
from models.classifiers.trees import RandomForest
from models.early.baselines import ImageOnly, Majority, TextOnly
from models.early.concat import Concat
from models.fusion import Fit
from models.preparation.scaling import BlockScaler, joined
from models.views import Views
from pipeline.testing.views import labels, pooled, views, without


def norm(rows) -> float:
    dense = rows.toarray() if sparse.issparse(rows) else rows
    return float((dense.astype(np.float64) ** 2).sum(axis=1).mean())


@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-10, 10), width=st.integers(1, 8))
@settings(max_examples=30)
def test_dense_training_rows_get_mean_zero_and_mean_squared_norm_one(scale, shift, width):
    rows = (np.random.default_rng(width).normal(size=(20, width)) + shift) * scale
    block = Block.of(rows.astype(np.float32))
    scaled = BlockScaler().fit(block).transform(block)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)
    assert norm(scaled) == pytest.approx(1, abs=1e-3)
    assert scaled.dtype == np.float32


def test_sparse_rows_stay_sparse_and_are_only_multiplied():
    values = sparse.random(30, 50, 0.1, format="csr", dtype=np.float32, random_state=0)
    block = Block.of(values)
    scaled = BlockScaler().fit(block).transform(block)
    assert sparse.issparse(scaled)
    assert scaled.nnz == values.nnz
    assert norm(scaled) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(
        scaled.toarray(), values.toarray() / np.sqrt(norm(values)), rtol=1e-5
    )


def test_columns_and_blocks_that_never_vary_become_zeros():
    rows = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    rows[:, 1] = 7.3
    block = Block.of(rows)
    assert np.abs(BlockScaler().fit(block).transform(block)[:, 1]).max() < 1e-5
    constant = Block.of(np.full((10, 3), 7.3, dtype=np.float32))
    np.testing.assert_array_equal(
        BlockScaler().fit(constant).transform(constant), np.zeros((10, 3))
    )


def test_test_rows_change_nothing_that_was_learned():
    rows = pooled(labels())
    altered = rows.copy()
    altered[40:] = 1e6
    train = np.arange(40)
    before, after = (BlockScaler().fit(Block.of(values).take(train)) for values in (rows, altered))
    np.testing.assert_array_equal(before.mean_, after.mean_)
    assert before.scale_ == after.scale_


def test_missing_samples_are_left_out_of_the_statistics_and_become_the_mean():
    block = Block.of(pooled(labels()) + 5)
    some = np.arange(0, 60, 4)
    holes = without(block, some)
    scaler, there = (
        BlockScaler().fit(holes),
        BlockScaler().fit(block.take(np.setdiff1d(np.arange(60), some))),
    )
    np.testing.assert_array_equal(scaler.mean_, there.mean_)
    assert scaler.scale_ == there.scale_
    np.testing.assert_array_equal(scaler.transform(holes)[some], 0)


@pytest.mark.parametrize(("width", "stays_sparse"), [(20, False), (5000, True)])
def test_parts_are_joined_in_the_form_that_suits_their_density(width, stays_sparse):
    dense = pooled(labels())
    thin = sparse.random(60, width, 0.01, format="csr", dtype=np.float32, random_state=0)
    together = joined([dense, thin])
    assert sparse.issparse(together) == stays_sparse
    as_dense = together.toarray() if stays_sparse else together
    np.testing.assert_array_equal(as_dense, np.hstack([dense, thin.toarray()]))
    assert as_dense.dtype == np.float32


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.8])
def test_weight_is_the_share_of_the_text_in_the_squared_norm(weight):
    train, y = views()
    concat = Concat(Logistic(), weight=weight).fit(train, y)
    rows = concat._array(train)
    assert norm(rows) == pytest.approx(1, abs=1e-5)
    assert norm(rows[:, 6:]) == pytest.approx(weight, abs=1e-5)


@pytest.mark.parametrize("width", [5, 400])
def test_sparse_and_dense_texts_give_the_same_up_to_centring(width):
    """Without a penalty to speak of, centring is the intercept's business: both forms agree."""
    y = labels()
    text = np.zeros((60, width), dtype=np.float32)
    text[:, :5] = np.abs(pooled(y, 5))
    forms = [
        Views(Block.of(pooled(y)), Block.of(values)) for values in (text, sparse.csr_matrix(text))
    ]
    forest = RandomForest(trees=10)
    dense, thin = (Concat(forest).fit(form, y).predict_proba(form) for form in forms)
    np.testing.assert_allclose(dense, thin, atol=0.2)
    np.testing.assert_array_equal(dense.argmax(axis=1), thin.argmax(axis=1))


def test_single_modality_is_blind_to_the_other():
    train, y = views()
    assert train.image is not None
    noise = Block.of(np.random.default_rng(1).normal(size=(60, 5)).astype(np.float32))
    image = ImageOnly(Logistic())
    np.testing.assert_array_equal(
        image.fit(train, y).predict_proba(train),
        image.fit(Views(train.image), y).predict_proba(Views(train.image, noise)),
    )


@pytest.mark.parametrize("cls", [ImageOnly, TextOnly, Concat])
def test_a_sample_without_any_features_gets_the_training_frequencies_and_teaches_nothing(cls):
    train, y = views(n=62)
    missing = np.arange(9)
    holes = Views(without(train.image, missing), without(train.text, missing))
    there = np.arange(9, 62)
    fitted = cls(Logistic()).fit(holes, y)
    frequencies = np.unique(y, return_counts=True)[1] / len(y)
    np.testing.assert_allclose(fitted.predict_proba(holes)[missing], np.tile(frequencies, (9, 1)))
    alone = cls(Logistic()).fit(holes.take(there), y[there])
    np.testing.assert_allclose(
        fitted.predict_proba(holes)[there], alone.predict_proba(holes.take(there)), atol=1e-4
    )


def test_a_class_that_nobody_shows_gets_no_probability_where_features_are():
    train, y = views()
    holes = Views(without(train.image, y == "boat"), train.text)
    probabilities = ImageOnly(Logistic()).fit(holes, y).predict_proba(holes)
    assert np.all(probabilities[y != "boat", 1] == 0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_majority_predicts_training_frequencies():
    train, _ = views(n=4)
    y = np.array(["b", "a", "b", "b"])
    np.testing.assert_array_equal(
        Majority().fit(train, y).predict_proba(train), np.tile([0.25, 0.75], (4, 1))
    )


def test_weight_lets_concat_ignore_a_loud_useless_block():
    """Noise with most of the norm drowns a good text; with little of it, it does not."""
    y = labels()
    noise = np.random.default_rng(0).normal(size=(120, 300)).astype(np.float32)
    text = np.concatenate([pooled(y, 4, 1, noise=0.9), pooled(y, 4, 2, noise=0.9)])
    both = Views(Block.of(noise), Block.of(text))
    train, test = both.take(np.arange(60)), both.take(np.arange(60, 120))
    accuracy = {
        weight: np.mean(Concat(Logistic(C=100), weight=weight).fit(train, y).predict(test) == y)
        for weight in (0.02, 0.9)
    }
    assert accuracy[0.9] > accuracy[0.02] + 0.1


@pytest.mark.parametrize("form", ["pooled", "sparse"])
@pytest.mark.parametrize(("weight", "alone"), [(0.0, ImageOnly), (1.0, TextOnly)])
def test_at_the_ends_of_its_weight_it_is_a_single_modality(form, weight, alone):
    (train, y), (test, _) = views(form), views(form, seed=7)
    expected = alone(Logistic()).fit(train, y).predict_proba(test)
    concat = Concat(Logistic(), weight=weight)
    np.testing.assert_allclose(concat.fit(train, y).predict_proba(test), expected, atol=1e-3)
    settings = [{"weight": value, "classifier__C": 10.0} for value in (0.5, weight)]
    (_, together), = concat.predict_many([Fit(train, y, test)], settings)
    np.testing.assert_allclose(together, expected, atol=1e-3)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_every_classifier_bears_a_modality_without_a_share(name, weight):
    train, y = views()
    given = {"trees": 5, "iterations": 5, "epochs": 20}
    known = CLASSIFIERS[name]().get_params()
    classifier = CLASSIFIERS[name](**{key: given[key] for key in given.keys() & known.keys()})
    concat = Concat(classifier, weight=weight).fit(train, y)
    alone = train.image if weight == 0 else train.text
    other = Block.of(np.zeros((60, 5 if weight == 0 else 6), np.float32))
    blind = Views(alone, other) if weight == 0 else Views(other, alone)
    probabilities = concat.predict_proba(train)
    assert np.mean(concat.classes_[probabilities.argmax(axis=1)] == y) > 0.6
    np.testing.assert_allclose(concat.predict_proba(blind), probabilities, atol=1e-6)
