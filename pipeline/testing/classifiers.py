"""What every classifier must do: the contract of models/classifier.py, a function for each rule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from features.block import Block
from models.classifier import ArrayFit, Classifier, SolvesJointly
from models.groups import UsesGroups
from models.views import BlocksFit, ScaledBlock
from pipeline.testing.estimators import built
from pipeline.testing.views import CLASSES, labels, pooled


def only_a_classifier_that_says_so_depends_on_groups(cls: type[Classifier]) -> None:
    """Only a classifier that says so depends on groups."""
    y = labels(90)
    X, groups = pooled(y, noise=1.5), np.arange(90) // 9
    plain, grouped = (
        built(cls).fit(X, y, groups=given).predict_proba(X) for given in (None, groups)
    )
    assert np.array_equal(plain, grouped) != issubclass(cls, UsesGroups)


def a_classifier_that_solves_jointly_gives_what_rows_give(cls: type[Classifier]) -> None:
    """A classifier that solves jointly gives what rows give."""
    if not issubclass(cls, SolvesJointly):
        return
    y = labels()
    rows, test = np.arange(0, 60, 2), np.arange(1, 60, 2)
    block = Block.of(pooled(y))
    mean, factor = block.values[rows].mean(axis=0), 0.5
    X = (block.values - mean) * np.float32(factor)
    fit = BlocksFit((ScaledBlock(block.take(rows), mean, factor),), y[rows], (block.take(test),))
    alone = built(cls).fit(X[rows], y[rows]).predict_proba(X[test])
    together = built(cls).predict_jointly([fit, fit], [[{}], [{}, {}]])
    assert [len(settings) for settings in together] == [1, 2]
    for probabilities in (together[0][0], *together[1]):
        np.testing.assert_allclose(probabilities, alone, atol=5e-4)
    fitted = built(cls).fit_jointly(fit)
    np.testing.assert_allclose(fitted.predict_proba(X[test]), alone, atol=5e-4)


def classifier_learns_from_dense_and_sparse_rows_alike(cls: type[Classifier]) -> None:
    """Classifier learns from dense and sparse rows alike."""
    y = labels(240)
    X = pooled(y)
    X[np.abs(X) < 0.3] = 0
    X /= np.sqrt((X**2).sum(axis=1).mean())
    dense = built(cls).fit(X, y)
    thin = built(cls).fit(sparse.csr_matrix(X), y)
    assert list(dense.classes_) == sorted(CLASSES)
    np.testing.assert_allclose(dense.predict_proba(X).sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(
        dense.predict_proba(X), thin.predict_proba(sparse.csr_matrix(X)), atol=2e-3
    )
    assert np.mean(dense.predict(X) == y) > 0.9


def classifier_is_deterministic_and_solves_many_as_one_by_one(cls: type[Classifier]) -> None:
    """Classifier is deterministic and solves many as one by one."""
    y = labels()
    X, other = pooled(y), pooled(y, seed=5)
    alone = built(cls).fit(X, y).predict_proba(other)
    np.testing.assert_array_equal(alone, built(cls).fit(X, y).predict_proba(other))
    name, value = next(iter(cls.tuned.items()), ("random_state", (0, 1)))
    settings = [{name: value[0]}, {name: value[-1]}]
    tolerance = 5e-4 if issubclass(cls, SolvesJointly) else 1e-6
    together = built(cls).predict_many(iter([ArrayFit(X, y, other)]), settings)
    for setting, jointly in zip(settings, together[0], strict=True):
        expected = built(cls, **setting).fit(X, y).predict_proba(other)
        np.testing.assert_allclose(jointly, expected, atol=tolerance)


def classifier_bears_classes_of_one_row(cls: type[Classifier]) -> None:
    """Classifier bears classes of one row."""
    for counts in ((20, 1), (20, 1, 1), (1, 1, 1), (3, 2)):
        y = np.repeat(CLASSES[: len(counts)], counts)
        fitted = built(cls).fit(pooled(y), y)
        probabilities = fitted.predict_proba(pooled(y))
        assert probabilities.shape == (len(y), len(counts))
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def classifier_with_one_class_is_certain(cls: type[Classifier]) -> None:
    """Classifier with one class is certain."""
    X = pooled(labels(6))
    fitted = built(cls).fit(X, np.full(6, 2))
    np.testing.assert_array_equal(fitted.predict_proba(X), np.ones((6, 1)))


CHECKS: tuple[Callable[[type[Classifier]], None], ...] = (
    only_a_classifier_that_says_so_depends_on_groups,
    a_classifier_that_solves_jointly_gives_what_rows_give,
    classifier_learns_from_dense_and_sparse_rows_alike,
    classifier_is_deterministic_and_solves_many_as_one_by_one,
    classifier_bears_classes_of_one_row,
    classifier_with_one_class_is_certain,
)
