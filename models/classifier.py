"""The classifier contract: estimators over one array of features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Protocol, Self, TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray
from pydantic import Field

from features.block import FloatArray
from features.estimator import ClassifyingEstimator
from models.arrays import Probabilities
from models.views import BlocksFit

Array: TypeAlias = "FloatArray | scipy.sparse.csr_matrix"
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=1)]
ClassWeight = Literal["none", "balanced"]


class ArrayFit(NamedTuple):
    """One training set and the rows to predict from it, as arrays (n, d) and (m, d), dense or CSR.

    Parameters
    ----------
    widths : number of columns of each block, in order; empty for one block.
    groups : (n,) groups that are held out as a whole, where they are known.
    """

    train: Array
    y: NDArray[Any]
    test: Array
    widths: tuple[int, ...] = ()
    groups: NDArray[Any] | None = None


class FittedModel(Protocol):
    """What a classifier has fitted: it gives probabilities of rows."""

    def predict_proba(self, X: Array) -> Probabilities:
        """Probabilities (n, K) of rows (n, d)."""


class Classifier(ClassifyingEstimator):
    """Classifies the rows of an array, dense or CSR.

    Subclass it, and register the class in `models`.

    Fusions hand it rows whose mean squared norm is 1 (see models.preparation.scaling), so a
    strength of regularisation means the same for every encoder. The constructor only stores its
    typed parameters. Where all training labels are equal, that class gets probability 1 and nothing
    is fitted. SolvesJointly and UsesGroups (models.groups) are what only some classifiers do.

    Attributes
    ----------
    dear : whether a fit takes many times as long as that of a linear classifier.
    version : raised whenever predictions change for the same parameters and features.
    tuned : parameters chosen on inner folds, each with its default candidates.
    classes_ : (K,) sorted class labels, after `fit`.
    widths_ : number of columns of each block, for classifiers that treat blocks apart, after `fit`.
    groups_ : (n,) groups of the training rows, or None, after `fit`.
    model_ : what was fitted; None where all training labels are equal.
    """

    version: ClassVar[int]
    dear: ClassVar[bool] = False
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {}
    classes_: NDArray[Any]
    widths_: tuple[int, ...]
    groups_: NDArray[Any] | None
    model_: FittedModel | None

    def _model(self, X: Array, y: NDArray[Any]) -> FittedModel:
        """Fitted scikit-learn estimator for two or more classes, columns as in `classes_`."""
        raise NotImplementedError

    def _learn_inputs(self, X: Array) -> None:
        """Learn from training rows what `_inputs` needs; nothing, if rows stay as they are."""

    def _inputs(self, X: Array) -> Array:
        """What the model gets of rows X."""
        return X

    def fit(
        self,
        X: Array,
        y: NDArray[Any],
        widths: tuple[int, ...] = (),
        groups: NDArray[Any] | None = None,
    ) -> Self:
        """Learn from rows X (n, d) with labels y (n,); see ArrayFit for widths and groups."""
        from sklearn.utils.multiclass import check_classification_targets
        from sklearn.utils.validation import validate_data

        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float32)
        check_classification_targets(y)
        self.classes_, self.widths_ = np.unique(y), widths or (X.shape[1],)
        self.groups_ = groups
        self.model_ = None
        if len(self.classes_) > 1:
            self._learn_inputs(X)
            self.model_ = self._model(self._inputs(X), y)
        return self

    def predict_proba(self, X: Array) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        check_fitted(self, "classes_")
        X = self._checked(X)
        if self.model_ is None or X.shape[0] == 0:
            return np.ones((X.shape[0], len(self.classes_))) / len(self.classes_)
        shares = np.asarray(self.model_.predict_proba(self._inputs(X)), dtype=np.float64)
        # Rows computed in single precision add up to 1 only to its rounding.
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def _checked(self, X: Array) -> Array:
        """Rows as float32, like those that it learned from; ValueError where they are not.

        Rows that are plainly so, as fusions give them, need no check by scikit-learn, whose import
        takes 0.8 s of CPU: as long as all else that predicting a text takes (benchmarks/start.py).
        """
        if _is_plain(X) and X.shape[1] == getattr(self, "n_features_in_", None):
            return X
        from sklearn.utils.validation import validate_data

        checked: Array = validate_data(
            self, X, accept_sparse="csr", dtype=np.float32, reset=False, ensure_min_samples=0
        )
        return checked

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn may expect of it: CSR rows too."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def prior(self, frequencies: Probabilities) -> Probabilities:
        """Shares of the classes (K,) that its probabilities take for granted.

        `frequencies` (K,), those of the training rows, or the same for every class that has rows
        where class_weight is balanced: rows weighted so stand for classes drawn alike.
        """
        if getattr(self, "class_weight", "none") == "none":
            return frequencies
        there = frequencies > 0
        return np.asarray(there / there.sum())

    def predict(self, X: Array) -> NDArray[Any]:
        """Most probable class of each row (n,)."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[np.argmax(probabilities, axis=1)])

    def predict_many(
        self, fits: Iterable[ArrayFit], settings: Sequence[Mapping[str, Any]]
    ) -> list[list[Probabilities]]:
        """Probabilities of every fit's test rows under every setting: result[fit][setting].

        This plain form fits a clone for each, and takes the training sets one by one. A classifier
        that solves many of them together overrides it; the result must be the same, within the
        solver's tolerance.
        """
        return [
            [
                self.unfitted()
                .set_params(**setting)
                .fit(train, y, widths, groups)
                .predict_proba(test)
                for setting in settings
            ]
            for train, y, test, widths, groups in fits
        ]


class SolvesJointly(Classifier):
    """A classifier that takes scaled blocks as they are, and many training sets together."""

    def predict_jointly(
        self, fits: Sequence[BlocksFit], settings: Sequence[Sequence[Mapping[str, Any]]]
    ) -> list[list[Probabilities]]:
        """As `predict_many`, with scaled blocks in place of arrays, and settings of each fit."""
        raise NotImplementedError

    def fit_jointly(self, fit: BlocksFit) -> Self:
        """As `fit` with the scaled blocks side by side, which `predict_proba` is then given."""
        raise NotImplementedError


def check_fitted(estimator: ClassifyingEstimator, attribute: str) -> None:
    """Raise scikit-learn's NotFittedError where an estimator has no such attribute."""
    if not hasattr(estimator, attribute):
        from sklearn.exceptions import NotFittedError

        raise NotFittedError(
            f"This {type(estimator).__name__} instance is not fitted yet. Call 'fit' with "
            "appropriate arguments before using this estimator."
        )


def _is_plain(X: object) -> bool:
    """Whether rows are finite, in float32, and dense or CSR: exactly what is asked for."""
    if scipy.sparse.issparse(X):
        values = X.data if isinstance(X, scipy.sparse.csr_matrix) else None
    else:
        values = X if type(X) is np.ndarray and X.ndim == 2 else None
    return values is not None and values.dtype == np.float32 and bool(np.isfinite(values).all())


def row_weights(y: NDArray[Any], class_weight: ClassWeight) -> NDArray[np.float64] | None:
    """Weight of each row's loss (n,).

    n / (K n_k) for a row of class k if balanced, so that classes count alike.
    """
    if class_weight == "none":
        return None
    from sklearn.utils.class_weight import compute_sample_weight

    return np.asarray(compute_sample_weight("balanced", y))
