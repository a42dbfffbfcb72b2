"""scikit-learn's own estimator checks of every fusion, over views made of the checks' columns.

An array's first columns are the picture, the others the text (a single column is both). The adapter
checks arrays, which fusions never see; all else the checks ask of the fusion: that fitting is
repeatable and changes no parameters, that labels may be of any kind, that samples are predicted
alike in any order and number, that fitted estimators can be pickled and fitted anew, that they tell
classes apart.
"""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from features.block import Block
from models import FUSIONS
from models.classifiers.logistic import Logistic
from models.fusion import Fusion, TakesClassifier
from models.matching import ComparesAsEncoded
from models.views import Views
from pipeline.testing.views import Layers

SMALL = {"epochs": 2, "width": 4, "reduce": 4, "dimensions": 4}
ROUNDING = "features are single precision: rows predicted one by one differ in the seventh digit"


class OnColumns(ClassifierMixin, BaseEstimator):
    """A fusion of an array's first half of columns with the second."""

    def __init__(self, fusion: Fusion | None = None) -> None:
        self.fusion = fusion

    def fit(self, X: Any, y: Any) -> Self:
        X, y = validate_data(self, X, y, dtype=np.float32)
        self.fusion_ = clone(self.fusion).fit(self._views(X), y)
        self.classes_ = self.fusion_.classes_
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self.fusion_.predict_proba(
            self._views(validate_data(self, X, dtype=np.float32, reset=False))
        )

    def predict(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self.fusion_.predict(
            self._views(validate_data(self, X, dtype=np.float32, reset=False))
        )

    def _views(self, X: np.ndarray) -> Views:
        half = max(X.shape[1] // 2, 1)
        encoder = (
            Layers() if self.fusion is not None and "inputs" in self.fusion.needs.values() else None
        )
        image, text = X[:, :half], X[:, half:] if X.shape[1] > 1 else X
        if isinstance(self.fusion, ComparesAsEncoded) and self.fusion.needs_shared_space:
            text = text[:, :half]  # equally wide: of an odd number of columns the last is left out
        return Views(Block.of(image, encoder=encoder), Block.of(text, encoder=encoder))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Half of the columns, or two passes of a network, tell the checks' classes apart less than
        # they ask for.
        tags.classifier_tags.poor_score = not (
            isinstance(self.fusion, TakesClassifier) and len(self.fusion.needs) == 2
        )
        return tags


def small(cls: type[Fusion], **parameters: Any) -> OnColumns:
    known = inspect.signature(cls).parameters
    chosen = {name: value for name, value in SMALL.items() if name in known}
    classifier = {"classifier": Logistic()} if issubclass(cls, TakesClassifier) else {}
    return OnColumns(cls(**chosen, **classifier, **parameters))


def expected_failures(estimator: OnColumns) -> dict[str, str]:
    return {
        "check_methods_subset_invariance": ROUNDING,
        "check_methods_sample_order_invariance": ROUNDING,
    }


ALL = [small(cls) for cls in FUSIONS.values()]
STACKING = small(FUSIONS["late"], rule="stacking")


@pytest.mark.filterwarnings("ignore")  # the checks ask for odd things on purpose
@parametrize_with_checks([*ALL, STACKING], expected_failed_checks=expected_failures)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)
