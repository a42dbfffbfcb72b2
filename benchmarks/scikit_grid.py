"""The grid of benchmarks.grid in scikit-learn: as a user would write it, and as fast as it can be.

In a module of its own, so that worker processes and joblib's memory find its classes by name.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from pipeline.folds.fold import Fold

Array = NDArray[Any]
Key = tuple[str, int]

STRENGTHS = [0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0]
MAX_ITER = 20_000  # never reached: `tol` ends every fit


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


def plain(
    tasks: Sequence[Task], tol: float, classifier: type[BaseEstimator] = LogisticRegression
) -> dict[Key, Array]:
    """What a user would write: one search after the other, each over two processes."""
    predictions = {}
    with tempfile.TemporaryDirectory() as memory:
        for task in tasks:
            model = Pipeline(
                [
                    ("scale", Blocks(task.widths)),
                    ("model", classifier(tol=tol, max_iter=MAX_ITER)),
                ],
                memory=memory,
            )
            search = GridSearchCV(
                model, {"model__C": STRENGTHS}, cv=task.inner(), scoring="neg_log_loss", n_jobs=2
            )
            search.fit(task.X[task.fold.train], task.y[task.fold.train])
            predictions[task.key] = search.predict_proba(task.X[task.fold.test])
    return predictions


def intelex(tasks: Sequence[Task], tol: float) -> dict[Key, Array]:
    """The same by the logistic regression of scikit-learn-intelex."""
    from sklearnex.linear_model import LogisticRegression as Accelerated

    return plain(tasks, tol, Accelerated)


def best(tasks: Sequence[Task], tol: float) -> dict[Key, Array]:
    """The fastest way with scikit-learn: all strengths in one go, cells and folds side by side."""
    with parallel_config("loky", inner_max_num_threads=1):
        return dict(
            Parallel(n_jobs=2, batch_size=1)(delayed(_searched)(task, tol) for task in tasks)
        )


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
