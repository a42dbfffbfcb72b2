"""Ridge classification against scikit-learn: scores, what is held out, and the sigmoids."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import RidgeClassifier

from models.classifier import ArrayFit
from models.classifiers import least_squares, normal_equations
from models.classifiers.calibration import calibration_folds, fitted_sigmoids
from models.classifiers.least_squares import ridge
from models.classifiers.regression import Task
from models.classifiers.ridge import Ridge
from models.early.concat import Concat
from models.views import Views
from pipeline.testing.views import views

ALPHAS = (30.0, 0.1, 1.0)


def rows(n: int, d: int, classes: int, form: str = "dense", seed: int = 0):
    """Overlapping classes of unequal size; sparse rows are not centred."""
    rng = np.random.default_rng(seed)
    y = np.sort(rng.choice(classes, n, p=np.arange(1, classes + 1) / sum(range(classes + 1))))
    y = np.r_[np.arange(classes), y][:n]
    X = rng.normal(size=(n, d)) + 0.7 * rng.normal(size=(classes, d))[y]
    X = np.where(rng.random((n, d)) < 0.3, np.abs(X), 0) if form == "sparse" else X + 3
    X = (X / np.sqrt((X**2).sum(axis=1).mean())).astype(np.float32)
    return (sparse.csr_matrix(X) if form == "sparse" else X), np.array(
        ["ant", "bee", "cow", "dog"]
    )[y]


def reference(alpha: float, X, y, class_weight: str = "none") -> RidgeClassifier:
    """scikit-learn in double precision, exactly solved."""
    dense = np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)
    return RidgeClassifier(
        alpha=alpha, class_weight=None if class_weight == "none" else class_weight
    ).fit(dense, y)


def decisions(fitted: RidgeClassifier, X) -> np.ndarray:
    scores = fitted.decision_function(
        np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)
    )
    return scores if scores.ndim == 2 else scores[:, None]


@pytest.fixture(params=["factorised", "iterated"])
def largest(request, monkeypatch):
    """CSR rows of any shape are factorised, or solved by conjugate gradients."""
    if request.param == "iterated":
        monkeypatch.setattr(least_squares, "LARGEST_FACTORISED", 1)


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("shape", [(80, 20), (60, 200)])
@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_scores_are_those_of_scikit_learn(form, shape, classes, class_weight, largest):
    X, y = rows(*shape, classes, form)
    other, _ = rows(30, shape[1], classes, form, seed=1)
    for model, alpha in zip(
        Ridge(class_weight=class_weight)._fitted(X, y, None, ALPHAS), ALPHAS, strict=True
    ):
        theirs = reference(alpha, X, y, class_weight)
        coef = np.atleast_2d(theirs.coef_)
        np.testing.assert_allclose(model.lines.coef, coef, atol=1e-6 * np.abs(coef).max())
        np.testing.assert_allclose(model.lines.scores(other), decisions(theirs, other), atol=3e-6)


@pytest.mark.parametrize("shape", [(80, 20), (60, 200)])
@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_rows_held_out_are_scored_by_the_others_alone(form, shape, largest):
    X, y = rows(*shape, 4, form)
    weights = np.random.default_rng(0).uniform(0.5, 2, shape[0])
    folds = [np.arange(start, shape[0], 3) for start in range(3)]
    targets = np.where(y[:, None] == np.unique(y), 1.0, -1.0)
    for (_, held_out), alpha in zip(
        ridge(Task(X, targets, weights), ALPHAS, folds), ALPHAS, strict=True
    ):
        for out in folds:
            left = np.setdiff1d(np.arange(shape[0]), out)
            [alone] = ridge(Task(X[left], targets[left], weights[left]), [alpha])
            np.testing.assert_allclose(held_out[out], alone.lines.scores(X[out]), atol=1e-5)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_probabilities_are_those_of_scikit_learns_calibration(classes, class_weight):
    X, y = rows(200, 10, classes)
    ours = Ridge(alpha=3.0, class_weight=class_weight, random_state=4).fit(X, y)
    weights = (
        None
        if class_weight == "none"
        else len(y)
        / classes
        / np.unique(y, return_counts=True)[1][np.unique(y, return_inverse=True)[1]]
    )
    theirs = CalibratedClassifierCV(
        RidgeClassifier(alpha=3.0),
        method="sigmoid",
        ensemble=False,
        cv=calibration_folds(y, 4, None),
    ).fit(X.astype(float), y, weights)
    np.testing.assert_allclose(
        ours.predict_proba(X), theirs.predict_proba(X.astype(float)), atol=1e-3
    )


def test_a_sigmoid_is_at_the_minimum_and_keeps_the_shares_where_scores_tell_nothing():
    rng = np.random.default_rng(0)
    positive = rng.random((300, 2)) < [0.2, 0.7]
    scores = np.column_stack([rng.normal(size=300) + 40 * positive[:, 0], np.full(300, 0.3)])
    weights = rng.uniform(1, 2, 300)
    sigmoids = fitted_sigmoids(scores, positive, weights)
    p = 1 / (1 + np.exp(-(sigmoids.slope * scores + sigmoids.offset)))
    of_class = weights @ positive
    targets = np.where(positive, (of_class + 1) / (of_class + 2), 1 / (weights @ ~positive + 2))
    np.testing.assert_allclose(weights @ (p - targets) / weights.sum(), 0, atol=1e-8)
    np.testing.assert_allclose(weights @ ((p - targets) * scores) / weights.sum(), 0, atol=1e-6)
    np.testing.assert_allclose(p[:, 1], positive[:, 1] @ weights / weights.sum(), atol=0.01)


@pytest.mark.parametrize("shape", [(80, 20), (60, 200)])
def test_a_strength_that_rounding_errors_hide_is_refused(shape):
    X, y = rows(*shape, 3)
    twice = np.hstack([X[:, :10]] * (shape[1] // 10))
    with pytest.raises(
        ValueError, match=r"alpha 1e-30 is lost in the rounding errors .* take \de-\d+ or more"
    ):
        Ridge(alpha=1e-30).fit(twice, y)


def test_features_without_information_get_the_shares_of_the_classes():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [300, 200, 100])
    X = (rng.normal(size=(600, 30)) / np.sqrt(30)).astype(np.float32)
    for alpha in (0.1, 1000.0):
        probabilities = Ridge(alpha=alpha).fit(X, y).predict_proba(X)
        np.testing.assert_allclose(probabilities.mean(axis=0), [1 / 2, 1 / 3, 1 / 6], atol=0.02)
        assert probabilities.std(axis=0).max() < 0.1


def test_all_strengths_share_one_set_of_products(monkeypatch):
    made, moments = [], normal_equations.Primal._moments
    monkeypatch.setattr(normal_equations.Primal, "_moments",
                        lambda self, rows: made.append(len(rows)) or moments(self, rows))
    X, y = rows(80, 20, 4)
    settings = [{"alpha": alpha} for alpha in ALPHAS]
    Ridge().predict_many([ArrayFit(X, y, X)], settings)
    assert sum(made) == 80


def test_sigmoids_see_scores_for_whole_groups(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "models.classifiers.ridge.ridge",
        lambda task, alphas, folds: seen.append(folds) or ridge(task, alphas, folds),
    )
    train, y = views(n=90)
    groups = np.arange(90) // 6
    Concat(Ridge()).fit(Views(train.image, train.text, groups), y)
    assert len(seen[0]) == 5
    for number, out in enumerate(seen[0]):
        assert not set(groups[out]) & set(
            groups[np.concatenate(seen[0][:number] + seen[0][number + 1 :])]
        )


def test_sparse_rows_are_never_filled_by_iterations(monkeypatch):
    monkeypatch.setattr(least_squares, "LARGEST_FACTORISED", 100)
    X = sparse.random(300, 50_000, 0.001, format="csr", dtype=np.float32, random_state=0)
    monkeypatch.setattr(sparse.csr_matrix, "toarray", lambda *_: pytest.fail("made dense"))
    assert Ridge().fit(X, np.arange(300) % 3).predict_proba(X).shape == (300, 3)
