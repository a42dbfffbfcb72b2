"""Classifiers against plain arithmetic, class weights, and scikit-learn's own checks of them."""

from __future__ import annotations

import inspect
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import pairwise
from sklearn.utils.estimator_checks import parametrize_with_checks

from features.block import Block
from models import CLASSIFIERS
from models.classifiers.logistic import Logistic
from models.classifiers.neighbours import NearestNeighbours
from models.classifiers.svm import RBFSVM, SummedRBF
from models.classifiers.trees import HistGradientBoosting
from models.early.concat import Concat
from models.kept import RECENT
from models.views import Views
from pipeline.testing.views import labels, pooled, views

SMALL = {"trees": 10, "iterations": 10, "landmarks": 50}
ROUNDING = "features are single precision: rows predicted one by one differ in the seventh digit"
WEIGHTS = {
    "check_class_weight_classifiers": "class_weight is none or balanced, not each class's weight"
}
FAILING = {
    "Logistic": {"check_methods_subset_invariance": ROUNDING, **WEIGHTS},
    "Ridge": WEIGHTS,
    "LinearSVM": WEIGHTS,
    "RBFSVM": WEIGHTS,
    "MLP": {"check_methods_subset_invariance": ROUNDING},
}


def small(cls: type, **parameters):
    known = inspect.signature(cls).parameters
    return cls(**{name: value for name, value in SMALL.items() if name in known} | parameters)


def expected_failures(estimator) -> dict[str, str]:
    return FAILING.get(type(estimator).__name__, {})


@pytest.mark.filterwarnings("ignore")  # the checks ask for odd things on purpose
@parametrize_with_checks(
    [small(cls) for cls in CLASSIFIERS.values()], expected_failed_checks=expected_failures
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


# --- the summed kernel


def summed(X: np.ndarray, Z: np.ndarray, widths, gamma: float, train: np.ndarray) -> np.ndarray:
    """The formula of RBFSVM, entry by entry."""
    ends = np.cumsum(widths)
    blocks = list(zip([0, *ends[:-1]], ends, strict=True))
    variances = [
        ((train[:, a:b] - train[:, a:b].mean(axis=0)) ** 2).sum(axis=1).mean() for a, b in blocks
    ]
    return np.array(
        [
            [
                sum(
                    v / sum(variances) * np.exp(-gamma * ((x[a:b] - z[a:b]) ** 2).sum() / v)
                    for (a, b), v in zip(blocks, variances, strict=True)
                )
                for z in Z
            ]
            for x in X
        ]
    )


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_kernel_is_the_sum_of_one_for_each_block_and_the_map_spans_it(form):
    rng = np.random.default_rng(0)
    train, test = (
        rng.normal(size=(n, 7)).astype(np.float32) * [1, 1, 1, 5, 5, 5, 5] for n in (30, 12)
    )
    train, test = train.astype(np.float32), test.astype(np.float32)
    kernel_map = SummedRBF(gamma=0.7, landmarks=30).fit(form(train), (3, 4))
    expected = summed(test, train, (3, 4), 0.7, train)
    np.testing.assert_allclose(kernel_map.kernel(form(test), form(train)), expected, atol=1e-5)
    np.testing.assert_allclose(
        kernel_map.transform(form(test)) @ kernel_map.transform(form(train)).T, expected, atol=1e-3
    )


def test_fewer_landmarks_come_near_the_kernel():
    X = pooled(labels(120), width=4)
    exact, near = (SummedRBF(landmarks=count).fit(X, (4,)).transform(X) for count in (120, 60))
    assert near.shape == (120, 60)
    assert np.abs(near @ near.T - exact @ exact.T).mean() < 0.01


def test_blocks_that_never_vary_have_no_part_in_the_kernel():
    X = np.hstack([pooled(labels()), np.full((60, 3), 7, dtype=np.float32)])
    kernel = SummedRBF().fit(X, (6, 3))
    varying = X[:, :6]
    alone = SummedRBF().fit(varying, (6,))
    np.testing.assert_allclose(kernel.kernel(X, X), alone.kernel(varying, varying), atol=1e-5)
    constant = np.full((6, 2), 3, dtype=np.float32)
    probabilities = RBFSVM().fit(constant, np.array([0, 1, 0, 1, 0, 1])).predict_proba(constant)
    np.testing.assert_allclose(probabilities, 0.5, atol=0.01)


def test_distances_are_computed_once_for_every_gamma_and_strength_and_to_the_same_bits(monkeypatch):
    rng = np.random.default_rng(0)
    train, other = (rng.normal(size=(30, 7)).astype(np.float32) for _ in range(2))
    settings, computed = [(1.0, 0.3), (1.0, 1.0), (10.0, 0.3), (10.0, 1.0)], []

    def predicted(C, gamma, rows):
        return (
            RBFSVM(C=C, gamma=gamma)
            .fit(rows, np.arange(30) % 3, (4, 3))
            .predict_proba(train[:5])
            .tobytes()
        )

    cold = []
    for setting in settings:
        RECENT.clear()
        cold.append([predicted(*setting, train), predicted(*setting, other)])
    RECENT.clear()
    distances = pairwise.euclidean_distances
    monkeypatch.setattr(pairwise, "euclidean_distances",
                        lambda *given, **more: computed.append(1) or distances(*given, **more))
    assert [
        [predicted(*setting, train), predicted(*setting, other)] for setting in settings
    ] == cold
    # Two blocks of two training sets: landmarks (all rows) with themselves, and with the rows to
    # predict.
    assert len(computed) == 2 * 2 * 2


def test_concat_weighs_the_kernels_and_each_block_keeps_its_own_bandwidth():
    train, y = views()
    concat = Concat(RBFSVM(), weight=0.2).fit(train, y)
    kernel = concat.classifier_.map_
    assert concat.classifier_.widths_ == (6, 5)
    np.testing.assert_allclose(
        np.array(kernel.variances_) / sum(kernel.variances_), [0.8, 0.2], atol=1e-3
    )
    image, text = (block.array() for block in train.blocks().values())
    expected = 0.8 * summed(image, image, (6,), 1.0, image) + 0.2 * summed(
        text, text, (5,), 1.0, text
    )
    rows = concat._array(train)
    np.testing.assert_allclose(kernel.kernel(rows, rows), expected, atol=1e-4)


def test_rbf_svm_separates_what_no_line_does():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    accuracy = {name: np.mean(CLASSIFIERS[name]().fit(X[:200], y[:200]).predict(X[200:]) == y[200:])
                for name in ("rbf_svm", "linear_svm")}
    assert accuracy["rbf_svm"] > 0.9
    assert accuracy["linear_svm"] < 0.65


# --- nearest neighbours


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_neighbours_vote_and_the_frequencies_have_one_vote(weights):
    y = np.array([0, 0, 0, 1, 1, 2])
    X = np.array([[0.0], [1], [2], [10], [11], [30]], dtype=np.float32)
    probabilities = (
        NearestNeighbours(neighbours=3, weights=weights)
        .fit(X, y)
        .predict_proba(np.array([[9.0]], np.float32))
    )
    votes = {"uniform": [Fraction(1), Fraction(1), Fraction(1)],  # of the rows at 10, 11 and 2
             "distance": [Fraction(1, 1), Fraction(1, 2), Fraction(1, 7)]}[weights]
    shares = np.array([float(votes[2]), float(votes[0] + votes[1]), 0]) / float(sum(votes))
    expected = [(3 * shares + np.array([3, 2, 1]) / 6) / 4]
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


# --- boosting


def test_boosting_reduces_wide_blocks_without_making_sparse_rows_dense(monkeypatch):
    y = labels(90)
    wide = sparse.random(90, 20_000, 0.001, format="csr", dtype=np.float32, random_state=0)
    X = sparse.csr_matrix(sparse.hstack([sparse.csr_matrix(pooled(y)), wide]))
    largest = []
    toarray = sparse.csr_matrix.toarray
    monkeypatch.setattr(
        sparse.csr_matrix,
        "toarray",
        lambda self, *given, **more: largest.append(self.shape[1]) or toarray(self, *given, **more),
    )
    fitted = HistGradientBoosting(iterations=20, components=10).fit(X, y, (6, 20_000))
    assert fitted.model_.n_features_in_ == 6 + 10
    assert np.mean(fitted.predict(X) == y) > 0.9
    assert max(largest) <= 10


# --- class weights

weighing = pytest.mark.parametrize(
    "name",
    [
        name
        for name, cls in CLASSIFIERS.items()
        if "class_weight" in inspect.signature(cls).parameters
    ],
)


def test_every_classifier_that_should_can_weigh_classes():
    assert {
        name
        for name, cls in CLASSIFIERS.items()
        if "class_weight" in inspect.signature(cls).parameters
    } == {"logistic", "ridge", "linear_svm", "rbf_svm", "random_forest", "hist_gradient_boosting"}


@weighing
def test_balanced_weights_find_more_of_a_rare_class(name):
    """Overlapping classes of 270 and 30 rows: unweighted, nearly all go to the frequent one."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [540, 60])
    X = (rng.normal(size=(600, 3)) + y[:, None]).astype(np.float32)
    train, test = np.arange(600) % 2 == 0, np.arange(600) % 2 == 1
    parameters = {"random_forest": {"min_samples_leaf": 10}}.get(name, {})
    recall, mean = {}, {}
    for weight in ("none", "balanced"):
        fitted = small(CLASSIFIERS[name], class_weight=weight, **parameters).fit(X[train], y[train])
        recall[weight] = np.mean(fitted.predict(X[test])[y[test] == 1] == 1)
        mean[weight] = fitted.predict_proba(X[test])[:, 1].mean()
    assert recall["balanced"] > recall["none"] + 0.2
    assert mean["none"] == pytest.approx(0.1, abs=0.03)
    assert mean["balanced"] > 0.2


def test_balanced_logistic_regression_is_that_on_repeated_rows():
    """Weights n / (K n_k) are those of rows repeated so that classes are equal.

    The strength evens the sum. Both are solved to a relative objective of 2e-7, of which
    probabilities may differ by about the square root.
    """
    y = np.repeat(["a", "b"], [40, 10])
    X = pooled(np.where(y == "a", "apple", "boat"))
    repeated = np.r_[0:40, np.repeat(np.arange(40, 50), 4)]
    balanced = Logistic(C=2.0, class_weight="balanced").fit(X, y).predict_proba(X)
    plain = Logistic(C=2.0 * 50 / 80).fit(X[repeated], y[repeated]).predict_proba(X)
    np.testing.assert_allclose(balanced, plain, atol=5e-4)


# --- principal components of blocks


def test_concat_reduces_each_wide_block_on_training_rows_only():
    y = labels(90)
    rng = np.random.default_rng(0)
    image, text = (
        rng.normal(size=(90, width)).astype(np.float32) * 0.5 ** np.arange(width) + 3
        for width in (20, 4)
    )
    train = np.arange(60)
    both = Views(Block.of(image.astype(np.float32)), Block.of(text.astype(np.float32)))
    concat = Concat(Logistic(), weight=0.25, components=5).fit(both.take(train), y[train])
    rows = concat._array(both)
    assert concat._widths() == (5, 4)  # the text is narrow enough
    centred = image - image[train].mean(axis=0)
    basis = np.linalg.svd(centred[train], full_matrices=False)[2][:5]
    expected = centred @ basis.T
    expected *= np.sqrt(0.75 / (expected[train] ** 2).sum(axis=1).mean())
    np.testing.assert_allclose(np.abs(rows[:, :5]), np.abs(expected), atol=2e-3)
    assert (rows[train, 5:] ** 2).sum(axis=1).mean() == pytest.approx(0.25, abs=1e-4)


def test_concat_reduces_a_sparse_block_without_making_it_dense(monkeypatch):
    y = labels(60)
    wide = sparse.random(60, 50_000, 0.001, format="csr", dtype=np.float32, random_state=0)
    both = Views(Block.of(pooled(y)), Block.of(wide))
    monkeypatch.setattr(sparse.csr_matrix, "toarray", lambda *_: pytest.fail("made dense"))
    monkeypatch.setattr(sparse.csr_matrix, "todense", lambda *_: pytest.fail("made dense"))
    concat = Concat(Logistic(), components=8).fit(both, y)
    assert concat._widths() == (6, 8)
    assert concat.predict_proba(both).shape == (60, 3)
    assert np.mean(concat.predict(both) == y) > 0.9
