"""Label propagation: its closed form, its graphs, and what few labels gain by it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.semi_supervised import LabelSpreading

from features.block import Block, unit_rows
from models.classifiers.logistic import Logistic
from models.fusion import Fit
from models.late.label_propagation import (
    LabelPropagation,
    affinities,
    normalised,
    spread_over,
)
from models.late.late import Late
from models.views import Views
from pipeline.testing.views import views, without
from tests.models.late.test_semi_supervised import independent


def correct(model, test: Views, y: np.ndarray) -> float:
    return float(np.mean(model.predict(test) == y))


def guesses_of(model: LabelPropagation, train: Views, y: np.ndarray, pool: Views) -> np.ndarray:
    """What the graphs say of the unlabelled samples."""
    together, codes, rows = model._pooled(train, y, pool)
    return model._guesses(together, codes)[rows]


@pytest.mark.parametrize("spread", [0.5, 0.9, 0.99])
def test_steps_reach_the_closed_form(spread):
    rows = unit_rows(np.random.default_rng(1).normal(size=(40, 5)))
    graph = normalised(affinities(rows, 4, 5.0))
    seeds = np.zeros((40, 3))
    seeds[[0, 1, 2], [0, 1, 2]] = 1
    expected = (1 - spread) * np.linalg.solve(np.eye(40) - spread * graph.toarray(), seeds)
    np.testing.assert_allclose(spread_over(graph, seeds, spread), expected, atol=1e-5)


def test_spreading_is_that_of_scikit_learn():
    rows = unit_rows(np.random.default_rng(2).normal(size=(30, 6)))
    weights = affinities(rows, 5, 3.0)
    y = np.full(30, -1)
    y[:6] = [0, 1, 2, 0, 1, 2]
    theirs = LabelSpreading(kernel=lambda *_: weights.toarray(), alpha=0.9, tol=1e-9, max_iter=2000)
    theirs.fit(rows, y)
    seeds = (y[:, None] == np.arange(3)).astype(float)
    ours = spread_over(normalised(weights), seeds, 0.9)
    np.testing.assert_allclose(
        ours / ours.sum(axis=1, keepdims=True), theirs.label_distributions_, atol=1e-4
    )


@pytest.mark.parametrize("is_sparse", [False, True])
def test_the_graph_joins_nearest_neighbours_both_ways(is_sparse):
    rows = unit_rows(np.random.default_rng(3).normal(size=(12, 4)))
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -2)
    nearest = np.argsort(-cosines, axis=1)[:, :3]
    expected = np.zeros((12, 12))
    for row, others in enumerate(nearest):
        expected[row, others] = np.exp(-7.0 * (1 - cosines[row, others]))
    expected = np.maximum(expected, expected.T)
    given = affinities(sparse.csr_matrix(rows) if is_sparse else rows, 3, 7.0)
    np.testing.assert_allclose(given.toarray(), expected, atol=1e-5)


def test_few_labels_gain_where_two_views_are_independent():
    gains = []
    for seed in range(4):
        (train, y), (pool, _), (test, truth) = (
            independent(n, 10 * seed + part) for part, n in enumerate((12, 500, 400))
        )
        model = LabelPropagation(Logistic()).learn(Fit(train, y, test, pool))
        late = Late(Logistic(), rule="product").fit(train, y)
        gains.append(correct(model, test, truth) - correct(late, test, truth))
        assert 0.4 * 500 < model.labelled_ <= 0.5 * 500 + 3
    assert min(gains) > 0.02
    assert np.mean(gains) > 0.04


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_without_unlabelled_samples_it_is_late_fusion_by_the_product(class_weight):
    classifier = Logistic(class_weight=class_weight)
    train, y = views()
    holes = Views(without(train.image, slice(0, 5)), without(train.text, slice(3, 9)))
    expected = Late(classifier, rule="product").fit(holes, y).predict_proba(holes)
    model = LabelPropagation(classifier).fit(holes, y)
    np.testing.assert_allclose(model.predict_proba(holes), expected, atol=1e-12)


def test_guesses_are_of_both_modalities_and_those_they_share_come_first():
    train, y = independent(36, 1)
    pool, truth = independent(90, 2)
    model = LabelPropagation(Logistic())
    guesses = guesses_of(model, train, y, pool)
    assert np.mean(np.unique(y)[guesses.argmax(axis=1)] == truth) > 0.9
    lying = Views(pool.image, pool.text.take(np.roll(np.arange(90), 1)))  # of other classes
    assert np.median(guesses_of(model, train, y, lying).max(axis=1)) < 0.01
    assert np.median(guesses.max(axis=1)) > 0.5


def test_samples_without_a_modality_or_without_a_known_word_are_borne():
    train, y = views("sparse")
    pool, _ = views("sparse", seed=5)
    words = pool.text.values.copy()
    words.data[words.indptr[0]:words.indptr[4]] = 0
    words.eliminate_zeros()
    unheard = Views(without(pool.image, slice(50, 60)), Block.of(words))
    holes = Views(without(train.image, slice(0, 5)), without(train.text, slice(3, 9)))
    model = LabelPropagation(Logistic()).fit(holes, y, unheard)
    probabilities = model.predict_proba(holes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    frequencies = np.full(3, 1 / 3)
    np.testing.assert_allclose(probabilities[3:5], [frequencies] * 2, atol=1e-6)


def test_a_class_without_a_labelled_picture_is_guessed_by_its_texts():
    train, y = independent(36, 1)
    pool, truth = independent(90, 2)
    hidden = np.flatnonzero(y == np.unique(y)[0])
    holes = Views(without(train.image, hidden), train.text)
    guesses = guesses_of(LabelPropagation(Logistic()), holes, y, pool)
    of_hidden = truth == np.unique(y)[0]
    assert np.mean(guesses[of_hidden].argmax(axis=1) == 0) > 0.7


@pytest.mark.parametrize("y", [["a", "b"], ["a", "a", "a"], ["a", "b", "b", "c"]])
def test_a_handful_of_samples_is_borne(y):
    train, _ = views(n=len(y))
    pool, _ = views(n=3, seed=4)
    probabilities = LabelPropagation(Logistic()).fit(train, np.array(y), pool).predict_proba(train)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
