"""Co-training: what it labels, and that two independent views with few labels profit from it."""

from __future__ import annotations

import numpy as np
import pytest

from features.block import Block
from models.classifiers.logistic import Logistic
from models.fusion import Fit
from models.late.late import Late
from models.late.semi_supervised import SemiSupervised, surest
from models.views import Views
from pipeline.testing.views import labels, pooled, views, without


def independent(n: int, seed: int) -> tuple[Views, np.ndarray]:
    """Two modalities that are independent given the class, each hard to learn from few labels."""
    y = labels(n)
    return Views(*(Block.of(pooled(y, 30, 100 * seed + side, noise=1.8)) for side in (1, 2))), y


def correct(model, test, y) -> float:
    return float(np.mean(model.predict(test) == y))


def test_unlabelled_samples_help_where_two_views_are_independent_and_labels_are_few():
    gains = []
    for seed in range(4):
        (train, y), (pool, _), (test, other) = (
            independent(n, 10 * seed + k) for k, n in ((0, 12), (1, 500), (2, 400))
        )
        supervised = correct(Late(Logistic(), rule="product").fit(train, y), test, other)
        model = SemiSupervised(Logistic()).learn(Fit(train, y, test, pool))
        gains.append(correct(model, test, other) - supervised)
        assert model.labelled_["image"] > 100
    assert np.mean(gains) > 0.04
    assert min(gains) > 0


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_without_unlabelled_samples_it_is_late_fusion_by_the_product(class_weight):
    classifier = Logistic(class_weight=class_weight)
    train, y = views()
    holes = Views(without(train.image, slice(0, 5)), without(train.text, slice(3, 9)))
    expected = Late(classifier, rule="product").fit(holes, y).predict_proba(holes)
    np.testing.assert_allclose(
        SemiSupervised(classifier).fit(holes, y).predict_proba(holes), expected, atol=1e-12
    )


def test_the_surest_of_each_class_are_chosen_within_their_quota():
    probabilities = np.array(
        [
            [0.9, 0.1, 0],
            [0.6, 0.4, 0],
            [0.7, 0.2, 0.1],
            [0.2, 0.8, 0],
            [0.1, 0.3, 0.6],
            [0.95, 0, 0.05],
        ]
    )
    rows, codes = surest(probabilities, np.array([2, 3, 0]))
    assert list(rows) == [5, 0, 3]
    assert list(codes) == [0, 0, 1]
    assert [len(part) for part in surest(probabilities[:0], np.array([1, 1, 1]))] == [0, 0]


def test_each_round_labels_its_share_and_no_more():
    (train, y), (pool, _) = independent(30, 0), independent(100, 1)
    model = SemiSupervised(Logistic(), rounds=2, per_round=0.06).fit(train, y, pool)
    # two rounds of ceil(6 / 3) of three classes
    assert all(0 < count <= 2 * 6 for count in model.labelled_.values())


def test_samples_that_lack_a_modality_are_not_labelled_for_the_other():
    (train, y), (pool, _) = independent(30, 0), independent(100, 1)
    whole = SemiSupervised(Logistic(), rounds=3).fit(train, y, pool.take(np.arange(40, 60)))
    holes = Views(without(pool.image, slice(0, 40)), without(pool.text, slice(60, 100)))
    model = SemiSupervised(Logistic(), rounds=3).fit(train, y, holes)
    assert model.labelled_ == whole.labelled_
    np.testing.assert_array_equal(model.predict_proba(pool), whole.predict_proba(pool))


@pytest.mark.parametrize("gone", ["image", "text"])
def test_a_sample_is_judged_by_the_modality_it_has(gone):
    (train, y), (pool, _), (test, _) = (independent(n, k) for k, n in enumerate((60, 100, 50)))
    model = SemiSupervised(Logistic()).fit(train, y, pool)
    left = "text" if gone == "image" else "image"
    blocks = test.blocks()
    alone = Views(**{**blocks, gone: without(blocks[gone], slice(None))})
    np.testing.assert_allclose(
        model.predict_proba(alone), model.members_[left].predict_proba(test), atol=1e-9
    )
