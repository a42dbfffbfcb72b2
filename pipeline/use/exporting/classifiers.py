"""Fitted classifiers in PyTorch, by their class: rows float32 (n, d) in, probabilities out.

skl2onnx would write scikit-learn's down, but not ours; of 1.20 with scikit-learn 1.9 it refuses
histogram gradient boosting, and its neighbours differ from scikit-learn's by .87 where rows equal
training rows (measured). Here rows go to trees in double precision, as there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.classifier import Classifier
from models.classifiers.calibration import Sigmoids
from models.classifiers.logistic import Logistic
from models.classifiers.neighbours import NearestNeighbours
from models.classifiers.perceptron import MLP
from models.classifiers.ridge import Ridge
from models.classifiers.svm import RBFSVM, LinearSVM
from models.classifiers.trees import HistGradientBoosting, RandomForest
from pipeline.use.exporting.preparation import Scaled, constant
from pipeline.use.exporting.trees import Trees

EQUAL = 1e-12  # squared distance, relative to the squared norms, that is rounding alone


class Linear(nn.Module):
    """Scores double (n, K) of rows."""

    coef: Tensor
    intercept: Tensor

    def __init__(self, coef: NDArray[Any], intercept: NDArray[Any]) -> None:
        super().__init__()
        self.register_buffer("coef", constant(np.asarray(coef, dtype=np.float32).T))
        self.register_buffer("intercept", constant(np.asarray(intercept, dtype=np.float64)))

    def forward(self, rows: Tensor) -> Tensor:
        """Products in single precision, like those of the fitted classifiers."""
        return (rows.float() @ self.coef).double() + self.intercept


class Softmax(nn.Module):
    """Probabilities from scores (n, K); of two classes the one score is the second's over 0."""

    def forward(self, scores: Tensor) -> Tensor:
        """Probabilities (n, K)."""
        if scores.shape[1] == 1:
            scores = torch.cat([torch.zeros_like(scores), scores], dim=1)
        return scores.softmax(dim=1)


class Calibrated(nn.Module):
    """See models.classifiers.calibration.Sigmoids."""

    slope: Tensor
    offset: Tensor

    def __init__(self, sigmoids: Sigmoids) -> None:
        super().__init__()
        self.register_buffer("slope", constant(sigmoids.slope))
        self.register_buffer("offset", constant(sigmoids.offset))

    def forward(self, scores: Tensor) -> Tensor:
        """Probabilities (n, K) of scores (n, K), or (n, 1) for two classes."""
        shares = (self.slope * scores + self.offset).sigmoid()
        if shares.shape[1] == 1:
            return torch.cat([1 - shares, shares], dim=1)
        whole = shares.sum(dim=1, keepdim=True)
        return torch.where(whole > 0, shares / whole, 1 / shares.shape[1])


class Layers(nn.Module):
    """A multilayer perceptron of scikit-learn."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Linear(coef.T, intercept)
            for coef, intercept in zip(network.coefs_, network.intercepts_, strict=True)
        )

    def forward(self, rows: Tensor) -> Tensor:
        """Scores of rows; a row's norm is 1, and 10 is what the perceptron was given."""
        rows = rows * 10
        for layer in self.layers[:-1]:
            rows = layer(rows).relu()
        scores: Tensor = self.layers[-1](rows)
        return scores


class Nearest(nn.Module):
    """See models.classifiers.neighbours.NearestNeighbours."""

    rows: Tensor
    classes: Tensor
    frequencies: Tensor

    def __init__(self, fitted: NearestNeighbours) -> None:
        super().__init__()
        model: Any = fitted.model_
        rows = model._fit_X
        dense = rows if isinstance(rows, np.ndarray) else rows.toarray()
        self.register_buffer("rows", constant(dense.astype(np.float64)))
        self.register_buffer("classes", constant(np.eye(len(fitted.classes_))[model._y]))
        self.register_buffer("frequencies", constant(fitted.frequencies_))
        self.count, self.by_distance = model.n_neighbors, fitted.weights == "distance"

    def forward(self, rows: Tensor) -> Tensor:
        """(k s(c) + f(c)) / (k + 1); who is at distance 0 outvotes all others."""
        x = rows.double()
        norms = (x * x).sum(dim=1, keepdim=True) + (self.rows * self.rows).sum(dim=1)
        squares = norms - 2 * x @ self.rows.T
        squares = torch.where(squares <= EQUAL * norms, 0.0, squares)
        nearest, positions = squares.topk(self.count, dim=1, largest=False)
        votes = torch.ones_like(nearest)
        if self.by_distance:
            at_row = nearest == 0
            inverse = torch.where(at_row, 1.0, nearest).rsqrt()
            votes = torch.where(at_row.any(dim=1, keepdim=True), at_row.double(), inverse)
        shares = (votes[:, :, None] * self.classes[positions]).sum(dim=1)
        shares = shares / shares.sum(dim=1, keepdim=True)
        smoothed: Tensor = (self.count * shares + self.frequencies) / (self.count + 1)
        return smoothed


class Kernel(nn.Module):
    """Rows mapped by models.classifiers.svm.SummedRBF, float32 (n, p)."""

    landmarks: Tensor
    inverse: Tensor

    def __init__(self, fitted: RBFSVM) -> None:
        super().__init__()
        kernel = fitted.map_
        chosen: Any = kernel.chosen_
        dense = chosen if isinstance(chosen, np.ndarray) else chosen.toarray()
        factor = kernel.factor_.astype(np.float64)
        self.register_buffer("landmarks", constant(dense.astype(np.float64)))
        self.register_buffer("inverse", constant(np.linalg.inv(factor)))
        self.ends, self.variances, self.gamma = kernel.ends_, kernel.variances_, kernel.gamma

    def forward(self, rows: Tensor) -> Tensor:
        """L^-1 k(landmarks, x)."""
        x, whole = rows.double(), sum(self.variances)
        total = torch.zeros((), dtype=torch.float64)
        starts = [0, *self.ends[:-1]]
        for start, end, variance in zip(starts, self.ends, self.variances, strict=True):
            if variance > 0:
                mine, theirs = x[:, start:end], self.landmarks[:, start:end]
                norms = (mine * mine).sum(dim=1, keepdim=True) + (theirs * theirs).sum(dim=1)
                squares = (norms - 2 * mine @ theirs.T).clamp(min=0)
                total = total + variance / whole * (squares * (-self.gamma / variance)).exp()
        return (total @ self.inverse.T).float()


class Boosted(nn.Module):
    """See models.classifiers.trees.HistGradientBoosting."""

    baseline: Tensor

    def __init__(self, fitted: HistGradientBoosting) -> None:
        super().__init__()
        model: Any = fitted.model_
        self.widths = list(fitted.widths_)
        self.scaled = nn.ModuleList(map(Scaled, fitted.scalers_))
        self.trees = Trees.of_boosting(model._predictors)
        self.register_buffer("baseline", constant(np.ravel(model._baseline_prediction)))

    def forward(self, rows: Tensor) -> Tensor:
        """Scores (n, K), (n, 1) for two classes."""
        has = torch.ones_like(rows[:, 0], dtype=torch.bool)
        parts = [
            scaled(part, has)
            for scaled, part in zip(self.scaled, torch.split(rows, self.widths, dim=1), strict=True)
        ]
        scores: Tensor = self.baseline + self.trees(torch.cat(parts, dim=1))
        return scores


def _logistic(fitted: Any) -> nn.Module:
    solution = fitted.model_.solution
    return nn.Sequential(Linear(solution.coef, solution.intercept), Softmax())


def _ridge(fitted: Any) -> nn.Module:
    model = fitted.model_
    ends = Softmax() if model.sigmoids is None else Calibrated(model.sigmoids)
    return nn.Sequential(Linear(*model.lines), ends)


def _machine(model: Any) -> nn.Module:
    """A linear support vector machine, calibrated where it could be."""
    if hasattr(model, "svm"):
        return nn.Sequential(Linear(model.svm.coef_, model.svm.intercept_), Softmax())
    (calibrated,) = model.calibrated_classifiers_
    machine, sigmoids = calibrated.estimator, calibrated.calibrators
    lines = Sigmoids(
        np.array([-sigmoid.a_ for sigmoid in sigmoids]),
        np.array([-sigmoid.b_ for sigmoid in sigmoids]),
    )
    return nn.Sequential(Linear(machine.coef_, machine.intercept_), Calibrated(lines))


# By class, what makes a network of a classifier that was fitted to two classes or more.
NETWORKS: dict[type[Classifier], Callable[[Any], nn.Module]] = {
    Logistic: _logistic,
    Ridge: _ridge,
    LinearSVM: lambda fitted: _machine(fitted.model_),
    RBFSVM: lambda fitted: nn.Sequential(Kernel(fitted), _machine(fitted.model_)),
    MLP: lambda fitted: nn.Sequential(Layers(fitted.model_), Softmax()),
    NearestNeighbours: Nearest,
    RandomForest: lambda fitted: Trees.of_forest(fitted.model_.estimators_),
    HistGradientBoosting: lambda fitted: nn.Sequential(Boosted(fitted), Softmax()),
}


class Classified(nn.Module):
    """Probabilities double (n, K) of rows, by a fitted classifier of a class in NETWORKS."""

    def __init__(self, fitted: Classifier) -> None:
        super().__init__()
        self.network = None if fitted.model_ is None else NETWORKS[type(fitted)](fitted)

    def forward(self, rows: Tensor) -> Tensor:
        """They add up to 1; where all training labels were equal, that class gets 1."""
        if self.network is None:
            return torch.ones_like(rows[:, :1], dtype=torch.float64)
        shares: Tensor = self.network(rows)
        return shares / shares.sum(dim=1, keepdim=True)
