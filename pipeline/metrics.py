"""METRICS: name -> Metric. Every metric scores class probabilities against the true classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A score of out-of-fold predictions.

    Parameters
    ----------
    function : (labels (n,) codes 0..K-1, probabilities (n, K)) -> float, nan where it is not defined.
    greater_is_better : False for losses.
    unit : "share" of 1, or "nats".
    version : raised whenever the function changes, for it may choose parameters.
    """

    function: Callable[[Labels, Probabilities], float]
    greater_is_better: bool = True
    unit: Literal["share", "nats"] = "share"
    version: int = 1

    def __call__(self, labels: Labels, probabilities: Probabilities) -> float:
        """The score."""
        return float(self.function(labels, probabilities))


def _predicted(probabilities: Probabilities) -> Labels:
    codes: Labels = np.argmax(probabilities, axis=1)
    return codes


def accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Share of samples whose most probable class is the true one."""
    return float(np.mean(_predicted(probabilities) == labels))


def balanced_accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Mean of the recalls of the classes that occur in `labels`."""
    hits = _predicted(probabilities) == labels
    return float(np.mean([hits[labels == label].mean() for label in np.unique(labels)]))


def precision_macro(labels: Labels, probabilities: Probabilities) -> float:
    """Unweighted mean precision over the classes that occur or are predicted; never predicted counts 0."""
    return _macro(metrics.precision_score, labels, probabilities)


def recall_macro(labels: Labels, probabilities: Probabilities) -> float:
    """Unweighted mean recall over the classes that occur or are predicted."""
    return _macro(metrics.recall_score, labels, probabilities)


def f1_macro(labels: Labels, probabilities: Probabilities) -> float:
    """Unweighted mean F1 over the classes that occur or are predicted."""
    return _macro(metrics.f1_score, labels, probabilities)


def _macro(score: Callable[..., float], labels: Labels, probabilities: Probabilities) -> float:
    return float(score(labels, _predicted(probabilities), average="macro", zero_division=0))


def log_loss(labels: Labels, probabilities: Probabilities) -> float:
    """Mean cross-entropy in nats; probabilities are kept above 1e-15."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.maximum(chosen, 1e-15))))


def roc_auc(labels: Labels, probabilities: Probabilities) -> float:
    """Mean over classes of the one-versus-rest area under the ROC curve (Mann-Whitney form).

    A class counts where `labels` hold both it and others; nan where no class does.
    """
    areas = [metrics.roc_auc_score(labels == label, probabilities[:, label])
             for label in np.unique(labels) if not np.all(labels == label)]
    return float(np.mean(areas)) if areas else float("nan")


METRICS: dict[str, Metric] = {
    "accuracy": Metric(accuracy),
    "balanced_accuracy": Metric(balanced_accuracy),
    "precision_macro": Metric(precision_macro),
    "recall_macro": Metric(recall_macro),
    "f1_macro": Metric(f1_macro),
    "log_loss": Metric(log_loss, greater_is_better=False, unit="nats"),
    "roc_auc": Metric(roc_auc),
}
