"""Metrics of predicted classes: functions of labels (n,) and probabilities (n, K).

They are scikit-learn's by value (tests compare them), but its functions check their input for
milliseconds a call, and a cached run scores hundreds of folds by seven metrics.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.data.rows import Labels
from pipeline.metrics.metric import Probabilities
from reports.analysis.mean_ranks import mean_ranks


class ClassCounts(NamedTuple):
    """Hits, true rows and predicted rows of each class that occurs or is predicted."""

    hits: Labels
    true: Labels
    predicted: Labels

    @classmethod
    def known(cls, hits: Labels, true: Labels, predicted: Labels) -> ClassCounts:
        """Those of all classes (K,), without the classes that neither occur nor are predicted."""
        is_known = true + predicted > 0
        return cls(hits[is_known], true[is_known], predicted[is_known])

    @classmethod
    def of_confusion(cls, confusion: NDArray[np.int64]) -> ClassCounts:
        """Those of a matrix (K, K) of rows by true and predicted class."""
        return cls.known(np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0))

    def accuracy(self) -> float:
        """See `accuracy`."""
        return float(self.hits.sum() / self.true.sum())

    def balanced_accuracy(self) -> float:
        """See `balanced_accuracy`."""
        occurs = self.true > 0
        return float(np.mean(self.hits[occurs] / self.true[occurs]))

    def precision_macro(self) -> float:
        """See `precision_macro`."""
        return float(np.mean(self.hits / np.maximum(self.predicted, 1)))

    def recall_macro(self) -> float:
        """See `recall_macro`."""
        return float(np.mean(self.hits / np.maximum(self.true, 1)))

    def f1_macro(self) -> float:
        """See `f1_macro`."""
        return float(np.mean(2 * self.hits / (self.true + self.predicted)))


def _predicted(probabilities: Probabilities) -> Labels:
    codes: Labels = np.argmax(probabilities, axis=1)
    return codes


def accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Share of samples whose most probable class is the true one."""
    return float(np.mean(_predicted(probabilities) == labels))


def balanced_accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Mean of the recalls of the classes that occur in `labels`."""
    return _counts(labels, probabilities).balanced_accuracy()


def precision_macro(labels: Labels, probabilities: Probabilities) -> float:
    """Unweighted mean precision over classes that occur or are predicted; never predicted: 0."""
    return _counts(labels, probabilities).precision_macro()


def recall_macro(labels: Labels, probabilities: Probabilities) -> float:
    """Unweighted mean recall over classes that occur or are predicted; one that never occurs: 0."""
    return _counts(labels, probabilities).recall_macro()


def f1_macro(labels: Labels, probabilities: Probabilities) -> float:
    """Unweighted mean F1 = 2 hits / (true + predicted) over classes that occur or are predicted."""
    return _counts(labels, probabilities).f1_macro()


def _counts(labels: Labels, probabilities: Probabilities) -> ClassCounts:
    codes, classes = _predicted(probabilities), probabilities.shape[1]
    hits = np.bincount(labels[codes == labels], minlength=classes)
    true, predicted = np.bincount(labels, minlength=classes), np.bincount(codes, minlength=classes)
    return ClassCounts.known(hits, true, predicted)


def log_loss(labels: Labels, probabilities: Probabilities) -> float:
    """Mean cross-entropy in nats; probabilities are kept above 1e-15."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.maximum(chosen, 1e-15))))


def roc_auc(labels: Labels, probabilities: Probabilities) -> float:
    """Mean over classes of the one-versus-rest area under the ROC curve.

    The area is (R - p (p + 1) / 2) / (p q) for p rows of the class, q others, and R the sum of the
    class's ranks by probability, ties shared (Mann and Whitney 1947). A class counts where `labels`
    hold both it and others; nan where no class does.
    """
    ranks = mean_ranks(probabilities)
    classes = np.arange(probabilities.shape[1])
    positive = labels[:, None] == classes
    p = positive.sum(axis=0)
    q = len(labels) - p
    known = (p > 0) & (q > 0)
    if not known.any():
        return float("nan")
    sums = (ranks * positive).sum(axis=0)[known]
    p, q = p[known], q[known]
    return float(np.mean((sums - p * (p + 1) / 2) / (p * q)))
