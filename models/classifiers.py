"""Classifiers over one array of features: thin, typed shells around scikit-learn's estimators."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

from features.encoder import FloatArray
from models.softmax import Problem, Solution, solve

Array: TypeAlias = FloatArray | sparse.csr_matrix
Probabilities = NDArray[np.float64]
Positive = Annotated[float, Field(gt=0)]


class ArrayFit(NamedTuple):
    """One training set and the rows to predict from it, as arrays (n, d) and (m, d), dense or CSR."""

    train: Array
    y: NDArray[Any]
    test: Array


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifies the rows of an array, dense or CSR. Subclass it, and register the class in `models`.

    Fusions hand it rows whose mean squared norm is 1 (see models.scaling), so a strength of
    regularisation means the same for every encoder. The constructor only stores its typed parameters.
    Where all training labels are equal, that class gets probability 1 and nothing is fitted.

    Attributes
    ----------
    version : raised whenever predictions change for the same parameters and features.
    tuned : parameters chosen on inner folds, each with its default candidates.
    classes_ : (K,) sorted class labels, after `fit`.
    """

    version: ClassVar[int]
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {}
    classes_: NDArray[Any]

    def _model(self, X: Array, y: NDArray[Any]) -> Any:
        """Fitted scikit-learn estimator for two or more classes; its columns are those of `classes_`."""
        raise NotImplementedError

    def fit(self, X: Array, y: NDArray[Any]) -> Self:
        """Learn from rows X (n, d) with labels y (n,)."""
        self.classes_ = np.unique(y)
        self.model_ = self._model(X, np.asarray(y)) if len(self.classes_) > 1 else None
        return self

    def predict_proba(self, X: Array) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        if self.model_ is None or X.shape[0] == 0:
            return np.ones((X.shape[0], len(self.classes_))) / len(self.classes_)
        found = np.asarray(self.model_.predict_proba(X), dtype=np.float64)
        # Rows computed in single precision add up to 1 only to its rounding.
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def predict(self, X: Array) -> NDArray[Any]:
        """Most probable class of each row (n,)."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(X), axis=1)])

    def predict_many(
        self, fits: Iterable[ArrayFit], settings: Sequence[Mapping[str, Any]]
    ) -> list[list[Probabilities]]:
        """Probabilities of every fit's test rows under every setting: result[fit][setting].

        This plain form fits a clone for each, and takes the training sets one by one. A classifier that
        solves many of them together overrides it; the result must be the same.
        """
        return [[clone(self).set_params(**setting).fit(train, y).predict_proba(test) for setting in settings]
                for train, y, test in fits]


class Logistic(Classifier):
    """Multinomial logistic regression: minimises C sum_i loss_i + |W|^2 / 2; the intercept is free.

    The solution is that of scikit-learn's LogisticRegression; models.softmax finds it for all strengths of
    one training set together.

    Parameters
    ----------
    C : inverse strength of the regularisation.
    """

    version: ClassVar[int] = 2
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"C": (3.0, 10.0, 30.0)}

    def __init__(self, C: Positive = 10.0) -> None:
        self.C = C

    def _model(self, X: Array, y: NDArray[Any]) -> Any:
        return _Softmax(_solved(X, y, [self.C])[0], len(self.classes_))

    def predict_many(
        self, fits: Iterable[ArrayFit], settings: Sequence[Mapping[str, Any]]
    ) -> list[list[Probabilities]]:
        """See Classifier.predict_many; here all strengths of a training set are solved together."""
        strengths = [float(setting.get("C", self.C)) for setting in settings]
        return [self._predicted(fit, strengths) for fit in fits]

    def _predicted(self, fit: ArrayFit, strengths: Sequence[float]) -> list[Probabilities]:
        classes = len(np.unique(fit.y))
        if classes == 1:
            return [np.ones((fit.test.shape[0], 1)) for _ in strengths]
        return [_Softmax(solution, classes).predict_proba(fit.test)
                for solution in _solved(fit.train, fit.y, strengths)]


def _solved(X: Array, y: NDArray[Any], strengths: Sequence[float]) -> list[Solution]:
    codes = np.unique(y, return_inverse=True)[1]
    rows = np.arange(len(codes))
    return solve(X, codes, [Problem(rows, C) for C in strengths])


@dataclass(frozen=True, eq=False)
class _Softmax:
    """A solved softmax regression, with the method that Classifier asks of a fitted model."""

    solution: Solution
    classes: int

    def predict_proba(self, X: Array) -> Probabilities:
        return self.solution.probabilities(X, np.arange(X.shape[0]), self.classes)


class LinearSVM(Classifier):
    """Linear support vector machine with probabilities (Platt 1999): one-vs-rest squared hinge loss.

    A sigmoid per class is fitted to decision values that cross-validation inside the training rows gives,
    with 5 stratified folds, or as many as the smallest class has rows. Where a class has a single row no
    such folds exist: then the probabilities are the softmax of the plain decision values.

    Parameters
    ----------
    C : inverse strength of the regularisation.
    random_state : seed of the calibration folds and of the order in which the solver takes the rows.
    """

    version: ClassVar[int] = 1
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"C": (0.3, 1.0, 3.0)}

    def __init__(self, C: Positive = 1.0, random_state: int = 0) -> None:
        self.C = C
        self.random_state = random_state

    def _model(self, X: Array, y: NDArray[Any]) -> Any:
        folds = min(5, int(np.unique(y, return_counts=True)[1].min()))
        # "auto" solves the dual problem where columns outnumber rows: measured twice as fast there.
        svm = LinearSVC(C=self.C, dual="auto", max_iter=100_000, random_state=self.random_state)
        if folds < 2:
            return _SoftmaxOfDecisions(svm.fit(X, y))
        split = StratifiedKFold(folds, shuffle=True, random_state=self.random_state)
        return CalibratedClassifierCV(svm, method="sigmoid", cv=split, ensemble=False).fit(X, y)


class _SoftmaxOfDecisions:
    """Probabilities of a fitted LinearSVC where there are too few rows to calibrate it."""

    def __init__(self, svm: LinearSVC) -> None:
        self.svm = svm

    def predict_proba(self, X: Array) -> Probabilities:
        decisions = np.asarray(self.svm.decision_function(X), dtype=np.float64)
        # With two classes there is one decision value d; (-d, d) / 2 makes their difference d again.
        both = decisions if decisions.ndim == 2 else np.column_stack([-decisions, decisions]) / 2
        return np.asarray(softmax(both, axis=1))


class RandomForest(Classifier):
    """Random forest (Breiman 2001); probabilities are the mean class shares of the trees' leaves.

    Parameters
    ----------
    trees : number of trees.
    min_samples_leaf : fewest training rows in a leaf.
    random_state : seed of the bootstrap and of the columns tried at each split.
    """

    version: ClassVar[int] = 1

    def __init__(
        self,
        trees: Annotated[int, Field(ge=1)] = 300,
        min_samples_leaf: Annotated[int, Field(ge=1)] = 1,
        random_state: int = 0,
    ) -> None:
        self.trees = trees
        self.min_samples_leaf = min_samples_leaf
        self.random_state = random_state

    def _model(self, X: Array, y: NDArray[Any]) -> Any:
        return RandomForestClassifier(
            n_estimators=self.trees, min_samples_leaf=self.min_samples_leaf, random_state=self.random_state
        ).fit(X, y)


class MLP(Classifier):
    """Multilayer perceptron with one hidden layer (ReLU), trained by Adam on batches.

    Training stops early on a tenth of the training rows, drawn by class; where a class has a single row,
    or a tenth is fewer rows than classes, no such part can be drawn and it trains for `epochs`. Rows are
    multiplied by 10: with norm 1 the hidden units would start out all but silent, and unit variance of
    each column (norm 20 to 60) was measured worse for TF-IDF and no better for CNN and SBERT.

    Parameters
    ----------
    hidden : width of the hidden layer.
    alpha : strength of the squared penalty on the weights.
    epochs : most passes over the training rows.
    random_state : seed of the weights, the batches and the early-stopping rows.
    """

    version: ClassVar[int] = 1

    def __init__(
        self,
        hidden: Annotated[int, Field(ge=1)] = 128,
        alpha: Annotated[float, Field(ge=0)] = 0.1,
        epochs: Annotated[int, Field(ge=1)] = 100,
        random_state: int = 0,
    ) -> None:
        self.hidden = hidden
        self.alpha = alpha
        self.epochs = epochs
        self.random_state = random_state

    def _model(self, X: Array, y: NDArray[Any]) -> Any:
        counts = np.unique(y, return_counts=True)[1]
        stops_early = bool(counts.min() > 1 and int(0.1 * len(y)) >= len(counts))
        network = MLPClassifier(
            (self.hidden,), alpha=self.alpha, max_iter=self.epochs, batch_size=min(64, int(0.9 * len(y))),
            early_stopping=stops_early, random_state=self.random_state,
        )
        with warnings.catch_warnings():
            # Reaching `epochs` is an end the user has chosen, not a fault.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return network.fit(self._scaled(X), y)

    def _scaled(self, X: Array) -> Array:
        return X * np.float32(10)

    def predict_proba(self, X: Array) -> Probabilities:
        """Probabilities (n, K), columns in the order of `classes_`."""
        return super().predict_proba(self._scaled(X))
