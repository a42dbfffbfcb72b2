"""Cross-entropy of training rows as a function of their logits: for many classes, and for two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray, IntArray
from models.softmax.hessian import (
    BinaryPreconditioner,
    MulticlassPreconditioner,
    Preconditioner,
)

LARGEST_MARGIN = 43.0  # the square of exp of it is far from float32's largest number


class Loss:
    """Sum of the rows' weighted cross-entropies at some logits Z (r, m), set by `evaluate`.

    Attributes
    ----------
    shape : (r, m)
    free : how many of the r rows determine the others: products with the design matrix are taken
        of these only
    Z : float32 (r, m), the logits
    residuals : float32 (r, m), derivative by the logits; overwritten by the next `evaluate`
    """

    shape: tuple[int, int]
    free: int
    Z: FloatArray
    residuals: FloatArray
    _weights: FloatArray | None
    _wrong: FloatArray  # (m,), probability of the classes that are not the row's label

    def evaluate(self, Z: FloatArray) -> None:
        """Set the logits (r, m)."""
        raise NotImplementedError

    def value(self) -> float:
        """The loss."""
        raise NotImplementedError

    def expected_errors(self) -> float:
        """Weighted sum of the probabilities of wrong classes."""
        return float(self._weighted(self._wrong).sum())

    def second_derivatives(self, steps: Sequence[FloatArray]) -> NDArray[np.float64]:
        """Second derivatives (b, b) along b changes of the logits, each (r, m)."""
        raise NotImplementedError

    def preconditioner(self, penalty: FloatArray) -> Preconditioner:
        """Approximate Hessian by the weights, with a penalty (width,) of each column."""
        raise NotImplementedError

    def fill_dependent(self, values: FloatArray) -> FloatArray:
        """Values (r, ...), with the rows filled in that the first `free` ones determine."""
        raise NotImplementedError

    def _weighted(self, values: FloatArray) -> FloatArray:
        return values if self._weights is None else values * self._weights


class SoftmaxLoss(Loss):
    """Of k classes, a logit each: log sum_k exp(z_k) - z_y.

    Logits, residuals and weights of the classes sum to zero.

    Parameters
    ----------
    codes : int (m,), class 0..k-1 of each row
    n_classes : k
    weights : float32 (m,), of each row; None for 1 each
    """

    def __init__(self, codes: IntArray, n_classes: int, weights: FloatArray | None) -> None:
        self.shape, self.free = (n_classes, len(codes)), n_classes - 1
        self.residuals = np.empty(self.shape, np.float32)
        self._codes, self._weights = codes, weights
        # positions of the rows' labels in the flattened (k, m)
        self._labels = codes * len(codes) + np.arange(len(codes))

    def evaluate(self, Z: FloatArray) -> None:
        """See Loss."""
        self.Z, P = Z, self.residuals
        self._shift = Z.max(axis=0)
        np.exp(Z - self._shift, out=P)
        label = P.ravel()[self._labels]
        np.put(P, self._labels, 0.0)
        # Not P - 1 for the label: where P is almost 1 that would leave rounding errors only.
        others = P.sum(axis=0)
        self._total = label + others
        self._wrong = others / self._total
        P /= self._total
        if self._weights is not None:
            P *= self._weights
        np.put(P, self._labels, -self._weighted(self._wrong))

    def value(self) -> float:
        """See Loss."""
        entropies = np.log(self._total) + self._shift - self.Z.ravel()[self._labels]
        loss = np.where(self._wrong < 0.5, -np.log1p(-np.minimum(self._wrong, 0.5)), entropies)
        return float(self._weighted(loss).sum(dtype=np.float64))

    def second_derivatives(self, steps: Sequence[FloatArray]) -> NDArray[np.float64]:
        """See Loss.

        Of the weighted residuals r: the sum of r a b - (r a) (r b) / weight - (r a) b_y - (r b) a_y
        over the rows.
        """
        products = [self.residuals * step for step in steps]
        sums = [product.sum(axis=0) for product in products]
        at_label = [step.ravel()[self._labels] for step in steps]
        means = sums if self._weights is None else [total / self._weights for total in sums]
        derivatives = np.empty((len(steps), len(steps)))
        for a, product in enumerate(products):
            for b in range(a + 1):
                derivatives[a, b] = derivatives[b, a] = (
                    np.vdot(product, steps[b])
                    - np.vdot(sums[a], means[b] + at_label[b])
                    - np.vdot(sums[b], at_label[a])
                )
        return derivatives

    def preconditioner(self, penalty: FloatArray) -> Preconditioner:
        """See Loss."""
        others = (
            self.residuals.copy() if self._weights is None else self.residuals / self._weights
        )
        np.put(others, self._labels, 0.0)
        return MulticlassPreconditioner(others, self._wrong, self._codes, penalty, self._weights)

    def fill_dependent(self, values: FloatArray) -> FloatArray:
        """See Loss."""
        np.negative(values[:-1].sum(axis=0), out=values[-1])
        return values


class BinaryLoss(Loss):
    """Of two classes, with a single logit z, of the second against the first.

    With two logits (benchmarks.softmax --ablate "two classes with one logit"), 1.2 to 1.5 times the
    time.

    The loss is log(1 + exp(-s z)), with s = 1 for the second class and -1 for the first.

    Parameters
    ----------
    codes : int (m,), class 0 or 1 of each row
    weights : float32 (m,), of each row; None for 1 each
    """

    free = 1

    def __init__(self, codes: IntArray, weights: FloatArray | None) -> None:
        self.shape, self._weights = (1, len(codes)), weights
        self._signs = (2 * codes - 1).astype(np.float32)
        self._weighted_signs = -self._signs if weights is None else -self._signs * weights

    def evaluate(self, Z: FloatArray) -> None:
        """See Loss."""
        self.Z, self._margins = Z, self._signs * Z[0]
        self._odds = np.exp(-np.maximum(self._margins, -LARGEST_MARGIN))  # of the wrong class
        self._wrong = self._odds / (1 + self._odds)
        self.residuals = (self._weighted_signs * self._wrong)[None]

    def value(self) -> float:
        """See Loss."""
        loss = np.log1p(self._odds) - np.minimum(self._margins + LARGEST_MARGIN, 0)
        return float(self._weighted(loss).sum(dtype=np.float64))

    def second_derivatives(self, steps: Sequence[FloatArray]) -> NDArray[np.float64]:
        """See Loss."""
        rows = np.concatenate(steps)
        return np.asarray((rows * self._variances()) @ rows.T, np.float64)

    def preconditioner(self, penalty: FloatArray) -> Preconditioner:
        """See Loss."""
        return BinaryPreconditioner(self._variances(), penalty)

    def fill_dependent(self, values: FloatArray) -> FloatArray:
        """See Loss."""
        return values

    def _variances(self) -> FloatArray:
        """Weighted p (1 - p) of each row."""
        return self._weighted(self._wrong / (1 + self._odds))


def loss_of(codes: IntArray, n_classes: int, weights: FloatArray | None) -> Loss:
    """The loss for so many classes; see the parameters of SoftmaxLoss."""
    return BinaryLoss(codes, weights) if n_classes == 2 else SoftmaxLoss(codes, n_classes, weights)


def objective(loss: Loss, W: FloatArray, penalty: FloatArray) -> float:
    """The loss at its logits, plus half the squares of W (r, width) times the penalty (width,)."""
    return loss.value() + 0.5 * float(np.vdot(W * penalty, W))
