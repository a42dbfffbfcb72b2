"""The contracts of fusions and classifiers, over the registries: a new one is tested untold.

The checks stand in pipeline.testing, where those who write plugins have them, too.
"""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from sklearn.base import clone

import models
from features.block import Block
from models import CLASSIFIERS, FUSIONS
from models.classifier import Classifier
from models.classifiers.logistic import Logistic
from models.fusion import Fusion
from models.views import Views
from pipeline.testing import classifiers, estimators, fusions
from pipeline.testing.views import CLASSES, labels, pooled


def subclasses(base: type) -> set[type]:
    for module in pkgutil.walk_packages(models.__path__, "models."):
        importlib.import_module(module.name)
    classes = set()
    for cls in base.__subclasses__():
        classes |= {cls} | subclasses(cls)
    return classes


def over(registry, checks):
    """Tests of everything in a registry by every check."""
    return [
        pytest.param(cls, check, id=f"{name}-{check.__name__}")
        for (name, cls), check in product(registry.items(), checks)
    ]


@pytest.mark.parametrize(("cls", "check"), [
    *over(FUSIONS, (*estimators.CHECKS, *fusions.CHECKS)),
    *over(CLASSIFIERS, (*estimators.CHECKS, *classifiers.CHECKS)),
])
def test_contract(cls, check):
    check(cls)


@pytest.mark.parametrize(("base", "registry"), [(Fusion, FUSIONS), (Classifier, CLASSIFIERS)])
def test_no_estimator_is_missing_from_its_registry(base, registry):
    complete = {cls for cls in subclasses(base) if isinstance(getattr(cls, "version", None), int)
                # other tests make estimators of their own
                and cls.__module__.startswith("models.")}
    assert complete == set(registry.values())


@pytest.mark.parametrize("C", [1e-3, 1e4])
def test_logistic_regression_ends_at_the_minimum_without_a_warning(C):
    """Where the gradient vanishes W_k = C sum_i (y_ik - p_ik) x_i; the residuals add up to 0."""
    y = labels(90)
    X = pooled(y, width=40, noise=1.5)
    X /= np.sqrt((X**2).sum(axis=1).mean())
    fitted = Logistic(C=C).fit(X, y)
    residuals = (y[:, None] == CLASSES) - fitted.predict_proba(X)
    np.testing.assert_allclose(
        fitted.model_.solution.coef, C * residuals.T @ X, atol=1e-4 * C * len(y)
    )
    np.testing.assert_allclose(residuals.mean(axis=0), 0, atol=1e-3)


def test_importing_the_models_loads_no_heavy_package():
    heavy = ["torch", "torchvision", "timm", "gensim", "sentence_transformers", "transformers",
             "sklearn", "scipy.stats", "pandas"]
    code = f"import sys, models; print([name for name in {heavy} if name in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


def test_a_pooled_block_may_have_identical_samples_stored_once():
    y = labels()
    plain = Views(Block.of(pooled(y)), Block.of(pooled(y, 5)))
    shared = Views(Block(pooled(y)[:6], np.arange(len(y)) % 6), Block.of(pooled(y, 5)))
    assert plain.image is not None
    repeated = Views(Block.of(plain.image.values[np.arange(len(y)) % 6]), plain.text)
    concat = FUSIONS["concat"](classifier=Logistic())
    np.testing.assert_allclose(clone(concat).fit(shared, y).predict_proba(shared),
                               clone(concat).fit(repeated, y).predict_proba(repeated), atol=1e-4)
