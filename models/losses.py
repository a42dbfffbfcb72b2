"""Cross-entropy of training rows as a function of their logits: for many classes, and for two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.curvature import Curvature, OneDirection, Softmaxed

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


class Loss:
    """Sum of the rows' weighted cross-entropies at some logits Z (r, m), where `at` puts it.

    Attributes
    ----------
    shape : (r, m)
    Z : float32 (r, m), where it is
    residual : float32 (r, m), derivative by the logits
    """

    shape: tuple[int, int]
    Z: FloatArray
    residual: FloatArray

    def at(self, Z: FloatArray) -> None:
        """Go to these logits (r, m)."""
        raise NotImplementedError

    def value(self) -> float:
        """The loss."""
        raise NotImplementedError

    def bends(self, moves: Sequence[FloatArray]) -> NDArray[np.float64]:
        """Second derivatives (b, b) along b changes of the logits, each (r, m)."""
        raise NotImplementedError

    def curvature(self, penalty: FloatArray) -> Curvature:
        """Approximate Hessian by the weights, with a penalty (width,) of each column."""
        raise NotImplementedError

    @staticmethod
    def part(whole: FloatArray) -> FloatArray:
        """The rows of (r, ...) that tell the others, for products with the features."""
        return whole

    @staticmethod
    def whole(part: FloatArray) -> FloatArray:
        """The reverse of `part`."""
        return part


class SoftmaxLoss(Loss):
    """Of k classes, a logit each: log sum_k exp(z_k) - z_y. Logits, residuals and weights of the classes sum to zero.

    Parameters
    ----------
    codes : int (m,), class 0..k-1 of each row
    n_classes : k
    weights : float32 (m,), of each row; None for 1 each
    """

    def __init__(self, codes: IntArray, n_classes: int, weights: FloatArray | None) -> None:
        self.shape, self._weights = (n_classes, len(codes)), weights
        self._true = codes, np.arange(len(codes))

    def at(self, Z: FloatArray) -> None:
        """See Loss."""
        self.Z, self._top = Z, Z.max(axis=0)
        P = np.exp(Z - self._top)
        self._total = P.sum(axis=0)
        P /= self._total
        self._P, self.residual = P, P.copy()
        # Not P - 1 for the true class: where P is almost 1 that would leave rounding errors only.
        self.residual[self._true] = 0.0
        self._missed = self.residual.sum(axis=0)
        self.residual[self._true] = -self._missed
        if self._weights is not None:
            self.residual *= self._weights

    def value(self) -> float:
        """See Loss."""
        surprise = self._top + np.log(self._total) - self.Z[self._true]
        loss = np.where(self._missed < 0.5, -np.log1p(-np.minimum(self._missed, 0.5)), surprise)
        if self._weights is not None:
            loss *= self._weights
        return float(loss.sum(dtype=np.float64))

    def bends(self, moves: Sequence[FloatArray]) -> NDArray[np.float64]:
        """See Loss."""
        pulls = [self._P * move for move in moves]
        sums = [pull.sum(axis=0) for pull in pulls]
        weights = np.ones(self._P.shape[1], np.float32) if self._weights is None else self._weights
        return np.array([[np.dot((pull * move).sum(axis=0) - total * rest, weights)
                          for move, rest in zip(moves, sums, strict=True)]
                         for pull, total in zip(pulls, sums, strict=True)], np.float64)

    def curvature(self, penalty: FloatArray) -> Curvature:
        """See Loss."""
        return Softmaxed(self._P, self._true[0], penalty, self._weights)

    @staticmethod
    def part(whole: FloatArray) -> FloatArray:
        """All classes but the last."""
        return whole[:-1]

    @staticmethod
    def whole(part: FloatArray) -> FloatArray:
        """Append the last class."""
        last: FloatArray = -part.sum(axis=0, keepdims=True)
        return np.concatenate([part, last])


class BinaryLoss(Loss):
    """Of two classes, with one logit z, of the second against the first: log(1 + exp(-s z)), s = 1 for the second.

    Parameters
    ----------
    codes : int (m,), class 0 or 1 of each row
    weights : float32 (m,), of each row; None for 1 each
    """

    def __init__(self, codes: IntArray, weights: FloatArray | None) -> None:
        self.shape = 1, len(codes)
        self._signs, self._weights = (2 * codes - 1).astype(np.float32), weights
        self._pull = -self._signs if weights is None else -self._signs * weights

    def at(self, Z: FloatArray) -> None:
        """See Loss."""
        self.Z, self._margin = Z, self._signs * Z[0]
        self._odds = np.exp(-np.abs(self._margin))  # of the less probable class: exact for both signs
        self.residual = (self._pull * (np.where(self._margin > 0, self._odds, 1) / (1 + self._odds)))[None]

    def value(self) -> float:
        """See Loss."""
        loss = np.maximum(-self._margin, 0) + np.log1p(self._odds)
        if self._weights is not None:
            loss *= self._weights
        return float(loss.sum(dtype=np.float64))

    def bends(self, moves: Sequence[FloatArray]) -> NDArray[np.float64]:
        """See Loss."""
        rows = np.concatenate(moves)
        return np.asarray((rows * self._spread()) @ rows.T, np.float64)

    def curvature(self, penalty: FloatArray) -> Curvature:
        """See Loss."""
        return OneDirection(self._spread(), penalty)

    def _spread(self) -> FloatArray:
        found: FloatArray = self._odds / np.square(1 + self._odds)
        return found if self._weights is None else found * self._weights


def loss_of(codes: IntArray, n_classes: int, weights: FloatArray | None) -> Loss:
    """The loss for so many classes; see the parameters of SoftmaxLoss."""
    return BinaryLoss(codes, weights) if n_classes == 2 else SoftmaxLoss(codes, n_classes, weights)


def objective(loss: Loss, W: FloatArray, penalty: FloatArray) -> float:
    """The loss where it is, and half the squared weights W (r, width) times the penalty (width,) of their columns."""
    return loss.value() + 0.5 * float(np.vdot(W * penalty, W))
