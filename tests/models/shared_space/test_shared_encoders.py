"""The space that encoders share: what is compared, and what is not learned."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from features.block import Block
from models.classifiers.logistic import Logistic
from models.fusion import ClassTexts, Fit
from models.shared_space.classification import Shared
from models.shared_space.projections import EncodersSpace
from models.shared_space.zero_shot import ZeroShot
from models.views import Views
from pipeline.testing.views import CLASSES, pooled, views, without


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_points_are_the_vectors_scaled_and_nothing_of_the_samples():
    pair, _ = views("shared")
    space = EncodersSpace().fit(pair.take(np.arange(3)))
    for modality, block in pair.blocks().items():
        np.testing.assert_allclose(space.project(modality, block), unit(block.values), atol=1e-6)
    assert not [name for name in vars(space) if name.endswith("_")]


def test_missing_samples_lie_at_the_origin_and_sparse_ones_where_dense_ones_do():
    pair, _ = views("shared")
    space = EncodersSpace().fit(pair)
    holes = space.project("text", without(pair.text, np.array([2])))
    assert not holes[2].any()
    thin = Block.of(sparse.csr_matrix(pair.text.values))
    np.testing.assert_allclose(space.project("text", thin), unit(pair.text.values), atol=1e-6)


def test_modalities_of_other_widths_share_no_space():
    pair, y = views()
    with pytest.raises(ValueError, match="6 image features and 5 text features cannot be compared"):
        EncodersSpace().fit(pair)
    with pytest.raises(ValueError, match="share no space"):
        Shared(Logistic()).fit(pair, y)


def test_what_was_learned_from_texts_is_known_of_pictures():
    train, y = views("shared", 90)
    test, expected = views("shared", 90, seed=7)
    fitted = Shared(Logistic(), direction="text_to_image").fit(train, y)
    assert np.mean(fitted.predict(test) == expected) > 0.9
    of_pictures = fitted.predict_proba(test)
    other_texts = Views(test.image, Block.of(-test.text.values))
    np.testing.assert_array_equal(fitted.predict_proba(other_texts), of_pictures)


def described() -> ClassTexts:
    return ClassTexts(CLASSES, Block.of(pooled(CLASSES, 6, seed=3, noise=0.1)))


def zero_shot(**parameters) -> ZeroShot:
    return ZeroShot(space="shared", **parameters)


def test_an_unseen_class_is_where_its_texts_are():
    """The formula: cosines with the class's mean text over the temperature, and no training."""
    test, expected = views("shared", seed=7)
    train = test.take(np.arange(4))
    nobody = np.full(4, "somebody")
    texts = described()
    model = zero_shot(weight=0.25, temperature=0.05)
    fitted = model.learn(Fit(train, nobody, test, class_texts=texts))
    prototypes = unit(texts.texts.values)
    scores = 0.75 * unit(test.image.values) @ prototypes.T
    scores += 0.25 * unit(test.text.values) @ prototypes.T
    odds = np.exp(scores / 0.05)
    np.testing.assert_allclose(
        fitted.predict_proba(test), odds / odds.sum(axis=1, keepdims=True), atol=1e-5
    )
    assert np.mean(fitted.predict(test) == expected) > 0.9
    others = Views(Block.of(-train.image.array()), Block.of(-train.text.array()))
    again = model.learn(Fit(others, nobody, test, class_texts=texts))
    np.testing.assert_array_equal(again.predict_proba(test), fitted.predict_proba(test))


def test_rows_need_only_what_they_are_recognised_by():
    assert zero_shot(recognised_by="image").samples_need == ("image",)
    assert ZeroShot(space="text", recognised_by="image").samples_need == ("image", "text")
    train, y = views("shared")
    pictures = Views(train.image, without(train.text, slice(None)))
    fitted = zero_shot(recognised_by="image").learn(
        Fit(pictures, np.full(len(y), "somebody"), pictures, class_texts=described())
    )
    assert np.mean(fitted.predict(pictures) == y) > 0.9


def test_the_space_that_nobody_named_is_the_encoders_where_they_share_it():
    assert ZeroShot().on_encoders(True).space == "shared"
    assert ZeroShot().on_encoders(False).space == "text"
    assert ZeroShot(space="cca").on_encoders(True).space == "cca"
    assert not ZeroShot().needs_shared_space
    assert zero_shot().needs_shared_space


def test_settings_that_shape_no_space_make_no_difference(monkeypatch):
    fits, fit = [], EncodersSpace.fit
    monkeypatch.setattr(
        EncodersSpace, "fit", lambda self, pairs: fits.append(1) or fit(self, pairs)
    )
    train, y = views("shared")
    (predicted,) = zero_shot().predict_many(
        [Fit(train, y, train)], [{"regularisation": 0.1}, {"regularisation": 0.9}]
    )
    np.testing.assert_array_equal(*predicted)
    assert len(fits) == 1
