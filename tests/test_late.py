"""Late fusion: rules against plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.baselines import ImageOnly, TextOnly
from models.classifiers import Logistic
from models.late import Late
from models.views import Views
from tests.model_views import views, without

IMAGE = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.3, 0.3, 0.4]])
TEXT = np.array([[0.1, 0.8, 0.1], [0.6, 0.2, 0.2], [0.0, 0.5, 0.5], [0.3, 0.3, 0.4]])
ALL = np.ones(4, dtype=bool)


def combined(rule: str, image_there=ALL, text_there=ALL) -> np.ndarray:
    return Late(Logistic(), rule=rule).combine(
        {"image": IMAGE, "text": TEXT}, {"image": np.asarray(image_there), "text": np.asarray(text_there)})


def test_mean_rule():
    np.testing.assert_allclose(combined("mean"), (IMAGE + TEXT) / 2)


def test_product_rule_is_renormalised():
    product = (IMAGE * TEXT)[:2]
    np.testing.assert_allclose(combined("product")[:2], product / product.sum(axis=1, keepdims=True), atol=1e-9)


def test_product_rule_bears_probabilities_of_zero():
    found = combined("product")[2]
    assert np.all(np.isfinite(found))
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("rule", ["mean", "product"])
def test_only_modalities_that_are_there_count(rule):
    found = combined(rule, [True, False, True, False], [False, True, True, False])
    np.testing.assert_allclose(found[0], IMAGE[0], atol=1e-9)
    np.testing.assert_allclose(found[1], TEXT[1], atol=1e-9)
    assert found.sum(axis=1) == pytest.approx(np.ones(4))


def test_mean_of_frequencies_where_nothing_is_there():
    found = combined("mean", [True] * 3 + [False], [True] * 3 + [False])
    np.testing.assert_allclose(found[3], IMAGE[3])


@given(st.integers(0, 2**32 - 1), st.sampled_from(["mean", "product"]))
@settings(max_examples=25, deadline=None)
def test_combination_is_a_distribution_and_symmetric(seed, rule):
    rng = np.random.default_rng(seed)
    image, text = rng.dirichlet(np.full(4, 0.1), size=(2, 7))
    there = rng.random((2, 7)) < 0.7
    late = Late(Logistic(), rule=rule)
    one = late.combine({"image": image, "text": text}, {"image": there[0], "text": there[1]})
    swapped = late.combine({"image": text, "text": image}, {"image": there[1], "text": there[0]})
    np.testing.assert_allclose(one.sum(axis=1), 1)
    np.testing.assert_allclose(one, swapped)


@pytest.mark.parametrize("rule", ["mean", "product"])
def test_alone_it_gives_what_combining_the_single_modalities_gives(rule):
    train, y = views()
    holes = Views(without(train.image, slice(0, 5)), without(train.text, slice(3, 9)))
    late = Late(Logistic(), rule=rule).fit(holes, y)
    parts = {"image": ImageOnly(Logistic()).fit(holes, y).predict_proba(holes),
             "text": TextOnly(Logistic()).fit(holes, y).predict_proba(holes)}
    present = {modality: block.present for modality, block in holes.blocks().items()}
    np.testing.assert_array_equal(late.predict_proba(holes), late.combine(parts, present))
