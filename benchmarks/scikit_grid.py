"""The grid of benchmarks.grid in scikit-learn: as a user would write it, and as fast as it can be.

In a module of its own, so that worker processes and joblib's memory find its classes by name.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    RidgeClassifier,
    RidgeClassifierCV,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from pipeline.folds.fold import Fold

Array = NDArray[Any]
Key = tuple[str, int]

STRENGTHS = [0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0]
MAX_ITER = 20_000  # never reached: `tol` ends every fit
ALPHAS = [0.1, 0.3, 1.0, 3.0, 10.0]
SVM_STRENGTHS, GAMMAS = [1.0, 10.0], [0.3, 1.0, 3.0]
CALIBRATION = 5  # folds that probabilities of ridge and SVM are learned on, as ours are


class Task(NamedTuple):
    """One cell on one fold: features of all rows, widths of the blocks, and the rows."""

    key: Key
    X: Array
    widths: tuple[int, ...]
    y: Array
    fold: Fold

    def inner(self) -> list[tuple[Array, Array]]:
        """Inner splits as positions among the training rows."""
        return [
            tuple(np.searchsorted(self.fold.train, part) for part in split)  # type: ignore[misc]
            for split in self.fold.inner
        ]


class Blocks(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Each block centred, and scaled to an equal share of a mean squared norm of 1."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        self.widths = widths

    def fit(self, X: Array, y: Any = None) -> Self:
        """Learn means and factors."""
        self.mean_ = X.mean(axis=0)
        parts = np.split(np.square(X - self.mean_).sum(axis=0), np.cumsum(self.widths)[:-1])
        factors = [np.sqrt(len(X) / part.sum() / len(parts)) for part in parts]
        self.factors_ = np.repeat(np.array(factors, np.float32), self.widths)
        return self

    def transform(self, X: Array) -> Array:
        """Scaled rows."""
        return (X - self.mean_) * self.factors_


class Search(NamedTuple):
    """A classifier with probabilities, and the settings that it is searched over."""

    model: BaseEstimator
    settings: Mapping[str, Sequence[float]]


def search_of(classifier: str, tol: float, *, accelerated: bool = False) -> Search:
    """What a user would search, with the classes of scikit-learn-intelex where it has them.

    Raises
    ------
    SystemExit
        Where it has none, as for ridge.
    """
    if classifier == "logistic":
        model = LogisticRegression(tol=tol, max_iter=MAX_ITER)
        return Search(_accelerated(model) if accelerated else model, {"C": STRENGTHS})
    machine: Any = SVC(cache_size=500)
    settings = {"estimator__C": SVM_STRENGTHS, "estimator__gamma": GAMMAS}
    if classifier == "ridge":
        if accelerated:
            raise SystemExit("--side intelex: scikit-learn-intelex has no ridge classifier")
        machine, settings = RidgeClassifier(), {"estimator__alpha": ALPHAS}
    if accelerated:
        machine = _accelerated(machine)
    return Search(CalibratedClassifierCV(machine, cv=CALIBRATION, ensemble=False), settings)


def _accelerated(model: Any) -> Any:
    """The same by scikit-learn-intelex, on one thread: two processes keep both cores busy."""
    import sklearnex.linear_model
    import sklearnex.svm

    room = sklearnex.svm if isinstance(model, SVC) else sklearnex.linear_model
    parameters = model.get_params()
    changed = {
        name: parameters[name] for name in ("C", "tol", "max_iter", "cache_size")
        if name in parameters
    }
    return getattr(room, type(model).__name__)(**changed, n_jobs=1)


def plain(
    tasks: Sequence[Task], tol: float, classifier: str = "logistic", *, accelerated: bool = False
) -> dict[Key, Array]:
    """What a user would write: one search after the other, each over two processes."""
    predictions = {}
    asked = search_of(classifier, tol, accelerated=accelerated)
    settings = {f"model__{name}": values for name, values in asked.settings.items()}
    with tempfile.TemporaryDirectory() as memory:
        for task in tasks:
            model = Pipeline(
                [("scale", Blocks(task.widths)), ("model", asked.model)], memory=memory
            )
            search = GridSearchCV(
                model, settings, cv=task.inner(), scoring="neg_log_loss", n_jobs=2
            )
            search.fit(task.X[task.fold.train], task.y[task.fold.train])
            predictions[task.key] = search.predict_proba(task.X[task.fold.test])
    return predictions


def intelex(tasks: Sequence[Task], tol: float, classifier: str = "logistic") -> dict[Key, Array]:
    """The same by the classifiers of scikit-learn-intelex."""
    return plain(tasks, tol, classifier, accelerated=True)


def best(tasks: Sequence[Task], tol: float, classifier: str = "logistic") -> dict[Key, Array]:
    """The fastest way with scikit-learn: all strengths in one go, cells and folds side by side."""
    if classifier == "rbf_svm":
        raise SystemExit("--side best: scikit-learn has nothing faster for rbf_svm than plain")
    searched = _ridge_searched if classifier == "ridge" else _searched
    with parallel_config("loky", inner_max_num_threads=1):
        return dict(
            Parallel(n_jobs=2, batch_size=1)(delayed(searched)(task, tol) for task in tasks)
        )


def _ridge_searched(task: Task, tol: float) -> tuple[Key, Array]:
    """RidgeClassifierCV leaves one row out at a time: no groups, and no log loss to choose by."""
    rows, labels = task.X[task.fold.train], task.y[task.fold.train]
    scaler = Blocks(task.widths).fit(rows)
    rows = scaler.transform(rows)
    chosen = RidgeClassifierCV(alphas=ALPHAS).fit(rows, labels)
    ridge = RidgeClassifier(alpha=chosen.alpha_)
    model = CalibratedClassifierCV(ridge, cv=CALIBRATION, ensemble=False).fit(rows, labels)
    return task.key, model.predict_proba(scaler.transform(task.X[task.fold.test]))


def _searched(task: Task, tol: float) -> tuple[Key, Array]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scaler = Blocks(task.widths).fit(task.X[task.fold.train])
        model = LogisticRegressionCV(
            Cs=STRENGTHS,
            cv=task.inner(),
            scoring="neg_log_loss",
            tol=tol,
            max_iter=MAX_ITER,
            l1_ratios=(0.0,),
            use_legacy_attributes=False,
        )
        model.fit(scaler.transform(task.X[task.fold.train]), task.y[task.fold.train])
        return task.key, model.predict_proba(scaler.transform(task.X[task.fold.test]))
