"""Support vector machines with probabilities: linear, and on a sum of one RBF kernel a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import scipy
from numpy.typing import NDArray

from features.block import FloatArray
from features.estimator import Estimator
from models.arrays import Probabilities
from models.classifier import (
    Array,
    Classifier,
    ClassWeight,
    FittedModel,
    Positive,
    Whole,
    row_weights,
)
from models.classifiers.calibration import calibration_folds, softmax_of_decisions
from models.groups import UsesGroups
from models.kept import RECENT

# of the largest possible entry, 1: identical landmarks leave the kernel matrix singular
JITTER = 1e-6


class SupportVectorMachine(Classifier, UsesGroups):
    """A linear support vector machine with probabilities (Platt 1999): one-vs-rest squared hinge.

    A sigmoid per class is fitted to decision values that cross-validation inside the training rows
    gives, with 5 stratified folds of whole groups, or as many as the smallest class has rows. Where
    a class is not among the training rows of every fold, the probabilities are the softmax of the
    plain decision values.
    """

    C: float
    class_weight: ClassWeight
    random_state: int

    def _model(self, X: Array, y: NDArray[Any]) -> FittedModel:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.svm import LinearSVC

        weights = row_weights(y, self.class_weight)
        folds = calibration_folds(y, self.random_state, self.groups_)
        # "auto" solves the dual problem where columns outnumber rows: measured twice as fast there.
        svm = LinearSVC(C=self.C, dual="auto", max_iter=100_000, random_state=self.random_state)
        if not folds:
            return _SoftmaxOfDecisions(svm.fit(X, y, weights))
        calibrated = CalibratedClassifierCV(svm, method="sigmoid", cv=folds, ensemble=False)
        fitted: FittedModel = calibrated.fit(X, y, weights)
        return fitted


@dataclass(kw_only=True, eq=False, repr=False)
class LinearSVM(SupportVectorMachine):
    """Linear support vector machine (see SupportVectorMachine) on the rows as they are.

    Parameters
    ----------
    C : inverse strength of the regularisation.
    class_weight : balanced weighs each class's rows so that all classes count alike, in the
        sigmoids too.
    random_state : seed of the calibration folds and of the order in which the solver takes the
        rows.
    """

    version: ClassVar[int] = 1
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"C": (0.3, 1.0, 3.0)}

    C: Positive = 1.0
    class_weight: ClassWeight = "none"
    random_state: int = 0


@dataclass(frozen=True, eq=False)
class _SoftmaxOfDecisions:
    """Probabilities of a fitted LinearSVC where there are too few rows to calibrate it."""

    svm: Any

    def predict_proba(self, X: Array) -> Probabilities:
        return softmax_of_decisions(np.asarray(self.svm.decision_function(X), dtype=np.float64))


@dataclass(kw_only=True, eq=False, repr=False)
class RBFSVM(SupportVectorMachine):
    """Support vector machine on the sum of one RBF kernel for each block, with probabilities.

    k(x, z) = sum_m s_m exp(-gamma |x_m - z_m|^2 / v_m) over blocks m, where v_m is the variance of
    the block's training rows (mean squared distance from their mean) and s_m = v_m / sum_j v_j:
    concat's weight weighs the kernels, and gamma is the bandwidth in units of each block's own
    spread (multiple kernel learning with fixed weights: Lanckriet et al. 2004). Rows are mapped to
    what spans the kernel of the landmarks (Nystroem: Williams and Seeger 2001), where a linear
    machine separates them: exact where the training rows are no more than the landmarks.

    Parameters
    ----------
    C : inverse strength of the regularisation.
    gamma : 1 is the usual choice, 1 / variance.
    landmarks : number of training rows, drawn at random, that span the kernel.
    class_weight : balanced weighs each class's rows so that all classes count alike.
    random_state : seed of the landmarks, the calibration folds and the solver.
    """

    version: ClassVar[int] = 2
    dear: ClassVar[bool] = True
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"C": (1.0, 10.0), "gamma": (0.3, 1.0, 3.0)}

    C: Positive = 1.0
    gamma: Positive = 1.0
    landmarks: Whole = 1000
    class_weight: ClassWeight = "none"
    random_state: int = 0

    def _learn_inputs(self, X: Array) -> None:
        kernel = SummedRBF(
            gamma=self.gamma, landmarks=self.landmarks, random_state=self.random_state
        )
        self.map_ = kernel.fit(X, self.widths_)

    def _inputs(self, X: Array) -> FloatArray:
        return self.map_.transform(X)


@dataclass(kw_only=True, eq=False, repr=False)
class SummedRBF(Estimator):
    """Map whose inner products are the kernel of RBFSVM (exactly, between landmarks and any row).

    With L the Cholesky factor of the landmarks' kernel matrix K_pp = L L', row x becomes L^-1
    k(landmarks, x).
    """

    gamma: float = 1.0
    landmarks: int = 1000
    random_state: int = 0

    def fit(self, X: Array, widths: tuple[int, ...]) -> Self:
        """Learn the blocks' variances and the landmarks from training rows (n, d)."""
        self.ends_ = np.cumsum(widths)
        self.variances_ = [_variance(block) for block in self._blocks(X)]
        rows = np.random.default_rng(self.random_state).permutation(X.shape[0])[: self.landmarks]
        self.chosen_ = X[np.sort(rows)]
        matrix = self.kernel(self.chosen_, self.chosen_).astype(np.float64)
        self.factor_ = scipy.linalg.cholesky(
            matrix + JITTER * np.eye(len(matrix)), lower=True
        ).astype(np.float32)
        return self

    def transform(self, X: Array) -> FloatArray:
        """Mapped rows float32 (n, p).

        L is as ill-conditioned as JITTER lets it be, and the order in which a solver sums depends
        on where a row stands among the others: solved in float64, a row's float32 values do not.
        """
        mapped = scipy.linalg.solve_triangular(
            self.factor_.astype(np.float64), self.kernel(self.chosen_, X), lower=True
        )
        return np.ascontiguousarray(mapped.T, dtype=np.float32)

    def kernel(self, X: Array, other: Array) -> FloatArray:
        """Kernel float32 (n, m) between rows (n, d) and others (m, d)."""
        whole = sum(self.variances_)
        kernel = np.zeros((X.shape[0], other.shape[0]), dtype=np.float32)
        for mine, theirs, variance in zip(
            self._blocks(X), self._blocks(other), self.variances_, strict=True
        ):
            if variance > 0:
                exponents = _squared_distances(mine, theirs) * -(self.gamma / variance)
                kernel += np.float32(variance / whole) * np.exp(exponents, exponents)
        return kernel

    def _blocks(self, X: Array) -> list[Array]:
        return [
            X[:, start:end] for start, end in zip([0, *self.ends_[:-1]], self.ends_, strict=True)
        ]


def _squared_distances(rows: Array, others: Array) -> FloatArray:
    """Squared distances (n, m), once for every gamma and C."""
    from sklearn.metrics.pairwise import euclidean_distances

    (distances,) = RECENT.arrays(
        ("squared distances", rows, others),
        lambda: (euclidean_distances(rows, others, squared=True),),
    )
    return distances


def _variance(rows: Array) -> float:
    """Mean squared distance of rows (n, d) from their mean."""
    squares = (
        np.square(rows, dtype=np.float64).sum()
        if isinstance(rows, np.ndarray)
        else rows.multiply(rows).sum()
    )
    mean = np.asarray(rows.mean(axis=0), dtype=np.float64)
    variance = float(squares) / rows.shape[0] - float(np.square(mean).sum())
    return variance if variance > JITTER * float(squares) / rows.shape[0] else 0.0
