"""Support vector machines with probabilities: linear, and on the sum of one RBF kernel for each block."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import scipy
from numpy.typing import NDArray

from features.block import FloatArray
from features.estimator import Estimator
from models.classifier import (
    Array,
    Classifier,
    ClassWeight,
    Positive,
    Probabilities,
    Whole,
    row_weights,
)
from models.classifiers.calibration import calibration_folds, softmax_of_decisions
from models.kept import KEPT

# of the largest possible entry, 1: identical landmarks leave the kernel matrix singular
JITTER = 1e-6


class LinearSVM(Classifier):
    """Linear support vector machine with probabilities (Platt 1999): one-vs-rest squared hinge loss.

    A sigmoid per class is fitted to decision values that cross-validation inside the training rows
    gives, with 5 stratified folds of whole groups, or as many as the smallest class has rows. Where
    a class is not among the training rows of every fold, the probabilities are the softmax of the
    plain decision values.

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
    uses_groups: ClassVar[bool] = True

    def __init__(
        self, C: Positive = 1.0, class_weight: ClassWeight = "none", random_state: int = 0
    ) -> None:
        self.C = C
        self.class_weight = class_weight
        self.random_state = random_state

    def _model(self, X: Any, y: NDArray[Any]) -> Any:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.svm import LinearSVC

        weights = row_weights(y, self.class_weight)
        folds = calibration_folds(y, self.random_state, self.groups_)
        # "auto" solves the dual problem where columns outnumber rows: measured twice as fast there.
        svm = LinearSVC(C=self.C, dual="auto", max_iter=100_000, random_state=self.random_state)
        if not folds:
            return _SoftmaxOfDecisions(svm.fit(X, y, weights))
        return CalibratedClassifierCV(svm, method="sigmoid", cv=folds, ensemble=False).fit(
            X, y, weights
        )


class _SoftmaxOfDecisions:
    """Probabilities of a fitted LinearSVC where there are too few rows to calibrate it."""

    def __init__(self, svm: Any) -> None:
        self.svm = svm

    def predict_proba(self, X: Array) -> Probabilities:
        return softmax_of_decisions(np.asarray(self.svm.decision_function(X), dtype=np.float64))


class RBFSVM(LinearSVM):
    """Support vector machine on the sum of one RBF kernel for each block, with probabilities.

    k(x, z) = sum_m s_m exp(-gamma |x_m - z_m|^2 / v_m) over blocks m, where v_m is the variance of
    the block's training rows (mean squared distance from their mean) and s_m = v_m / sum_j v_j:
    concat's weight weighs the kernels, and gamma is the bandwidth in units of each block's own
    spread (multiple kernel learning with fixed weights: Lanckriet et al. 2004). Rows are mapped to
    what spans the kernel of the landmarks (Nystroem: Williams and Seeger 2001), where a LinearSVM
    separates and calibrates them: exact where the training rows are no more than the landmarks.

    Parameters
    ----------
    C : inverse strength of the regularisation.
    gamma : 1 is the usual choice, 1 / variance.
    landmarks : number of training rows, drawn at random, that span the kernel.
    class_weight : balanced weighs each class's rows so that all classes count alike.
    random_state : seed of the landmarks, the calibration folds and the solver.
    """

    version: ClassVar[int] = 1
    tuned: ClassVar[dict[str, tuple[Any, ...]]] = {"C": (1.0, 10.0), "gamma": (0.3, 1.0, 3.0)}

    def __init__(
        self,
        C: Positive = 1.0,
        gamma: Positive = 1.0,
        landmarks: Whole = 1000,
        class_weight: ClassWeight = "none",
        random_state: int = 0,
    ) -> None:
        super().__init__(C, class_weight, random_state)
        self.gamma = gamma
        self.landmarks = landmarks

    def _learn_inputs(self, X: Array) -> None:
        self.map_ = SummedRBF(self.gamma, self.landmarks, self.random_state).fit(X, self.widths_)

    def _inputs(self, X: Array) -> FloatArray:
        return self.map_.transform(X)


class SummedRBF(Estimator):
    """Map whose inner products are the kernel of RBFSVM (exactly, between landmarks and any row).

    With L the Cholesky factor of the landmarks' kernel matrix K_pp = L L', row x becomes L^-1
    k(landmarks, x).
    """

    def __init__(self, gamma: float = 1.0, landmarks: int = 1000, random_state: int = 0) -> None:
        self.gamma = gamma
        self.landmarks = landmarks
        self.random_state = random_state

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
        found = np.zeros((X.shape[0], other.shape[0]), dtype=np.float32)
        for mine, theirs, variance in zip(
            self._blocks(X), self._blocks(other), self.variances_, strict=True
        ):
            if variance > 0:
                exponents = _squared_distances(mine, theirs) * -(self.gamma / variance)
                found += np.float32(variance / whole) * np.exp(exponents, exponents)
        return found

    def _blocks(self, X: Array) -> list[Array]:
        return [
            X[:, start:end] for start, end in zip([0, *self.ends_[:-1]], self.ends_, strict=True)
        ]


def _squared_distances(rows: Array, others: Array) -> FloatArray:
    """Squared distances (n, m), once for every gamma and C."""
    from sklearn.metrics.pairwise import euclidean_distances

    found, = KEPT.arrays(("squared distances", rows, others),
                         lambda: (euclidean_distances(rows, others, squared=True),))
    return found


def _variance(rows: Any) -> float:
    """Mean squared distance of rows (n, d) from their mean."""
    squares = (
        rows.multiply(rows).sum()
        if hasattr(rows, "multiply")
        else np.square(rows, dtype=np.float64).sum()
    )
    mean = np.asarray(rows.mean(axis=0), dtype=np.float64)
    variance = float(squares) / rows.shape[0] - float(np.square(mean).sum())
    return variance if variance > JITTER * float(squares) / rows.shape[0] else 0.0
