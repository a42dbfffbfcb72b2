"""Cross-entropy of training rows as a function of their logits: for many classes, and for two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.softmax.hessian import Curvature, OneDirection, Softmaxed

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

LARGE = 60.0  # exp of it, and sums of some such, are far from float32's largest number
CERTAIN = 43.0  # so is the square of exp of it


class Loss:
    """Sum of the rows' weighted cross-entropies at some logits Z (r, m), where `at` puts it.

    Attributes
    ----------
    shape : (r, m)
    told : how many of the r rows tell the others: products with the features are taken of these
        only
    Z : float32 (r, m), where it is
    residual : float32 (r, m), derivative by the logits; overwritten by the next `at`
    """

    shape: tuple[int, int]
    told: int
    Z: FloatArray
    residual: FloatArray
    _weights: FloatArray | None
    _missed: FloatArray  # (m,), probability of the classes that are not the row's own

    def at(self, Z: FloatArray) -> None:
        """Go to these logits (r, m)."""
        raise NotImplementedError

    def value(self) -> float:
        """The loss."""
        raise NotImplementedError

    def doubt(self) -> float:
        """Weighted sum of the probabilities of wrong classes."""
        return float(self._weighted(self._missed).sum())

    def bends(self, moves: Sequence[FloatArray]) -> NDArray[np.float64]:
        """Second derivatives (b, b) along b changes of the logits, each (r, m)."""
        raise NotImplementedError

    def curvature(self, penalty: FloatArray) -> Curvature:
        """Approximate Hessian by the weights, with a penalty (width,) of each column."""
        raise NotImplementedError

    def complete(self, values: FloatArray) -> FloatArray:
        """Values (r, ...) with the rows filled in that the first `told` ones tell; in place."""
        raise NotImplementedError

    def _weighted(self, values: FloatArray) -> FloatArray:
        return values if self._weights is None else values * self._weights


class SoftmaxLoss(Loss):
    """Of k classes, a logit each: log sum_k exp(z_k) - z_y. Logits, residuals and weights of the classes sum to zero.

    Parameters
    ----------
    codes : int (m,), class 0..k-1 of each row
    n_classes : k
    weights : float32 (m,), of each row; None for 1 each
    """

    def __init__(self, codes: IntArray, n_classes: int, weights: FloatArray | None) -> None:
        self.shape, self.told = (n_classes, len(codes)), n_classes - 1
        self.residual = np.empty(self.shape, np.float32)
        self._codes, self._weights = codes, weights
        self._own = codes * len(codes) + np.arange(len(codes))  # places of the rows' own classes

    def at(self, Z: FloatArray) -> None:
        """See Loss."""
        self.Z, odds = Z, self.residual
        top = Z.max()
        self._top = Z.max(axis=0) if top > LARGE else np.float32(0)
        np.exp(Z - self._top if top > LARGE else Z, out=odds)
        own = odds.ravel()[self._own]
        np.put(odds, self._own, 0.0)
        # Not P - 1 for the true class: where P is almost 1 that would leave rounding errors only.
        others = odds.sum(axis=0)
        self._total = own + others
        self._missed = others / self._total
        odds /= self._total
        if self._weights is not None:
            odds *= self._weights
        np.put(odds, self._own, -self._weighted(self._missed))

    def value(self) -> float:
        """See Loss."""
        surprise = np.log(self._total) + self._top - self.Z.ravel()[self._own]
        loss = np.where(self._missed < 0.5, -np.log1p(-np.minimum(self._missed, 0.5)), surprise)
        return float(self._weighted(loss).sum(dtype=np.float64))

    def bends(self, moves: Sequence[FloatArray]) -> NDArray[np.float64]:
        """See Loss.

        Of the weighted residuals r: the sum of r a b - (r a) (r b) / weight - (r a) b_y - (r b) a_y
        over the rows.
        """
        pulls = [self.residual * move for move in moves]
        sums = [pull.sum(axis=0) for pull in pulls]
        own = [move.ravel()[self._own] for move in moves]
        shares = sums if self._weights is None else [each / self._weights for each in sums]
        found = np.empty((len(moves), len(moves)))
        for a, pull in enumerate(pulls):
            for b in range(a + 1):
                found[a, b] = found[b, a] = (
                    np.vdot(pull, moves[b])
                    - np.vdot(sums[a], shares[b] + own[b])
                    - np.vdot(sums[b], own[a])
                )
        return found

    def curvature(self, penalty: FloatArray) -> Curvature:
        """See Loss."""
        others = self.residual.copy() if self._weights is None else self.residual / self._weights
        np.put(others, self._own, 0.0)
        return Softmaxed(others, self._missed, self._codes, penalty, self._weights)

    def complete(self, values: FloatArray) -> FloatArray:
        """See Loss."""
        np.negative(values[:-1].sum(axis=0), out=values[-1])
        return values


class BinaryLoss(Loss):
    """Of two classes, with one logit z, of the second against the first: log(1 + exp(-s z)), s = 1 for the second.

    Parameters
    ----------
    codes : int (m,), class 0 or 1 of each row
    weights : float32 (m,), of each row; None for 1 each
    """

    told = 1

    def __init__(self, codes: IntArray, weights: FloatArray | None) -> None:
        self.shape, self._weights = (1, len(codes)), weights
        self._signs = (2 * codes - 1).astype(np.float32)
        self._pull = -self._signs if weights is None else -self._signs * weights

    def at(self, Z: FloatArray) -> None:
        """See Loss."""
        self.Z, self._margin = Z, self._signs * Z[0]
        self._odds = np.exp(-np.maximum(self._margin, -CERTAIN))  # of the other class
        self._missed = self._odds / (1 + self._odds)
        self.residual = (self._pull * self._missed)[None]

    def value(self) -> float:
        """See Loss."""
        loss = np.log1p(self._odds) - np.minimum(self._margin + CERTAIN, 0)
        return float(self._weighted(loss).sum(dtype=np.float64))

    def bends(self, moves: Sequence[FloatArray]) -> NDArray[np.float64]:
        """See Loss."""
        rows = np.concatenate(moves)
        return np.asarray((rows * self._spread()) @ rows.T, np.float64)

    def curvature(self, penalty: FloatArray) -> Curvature:
        """See Loss."""
        return OneDirection(self._spread(), penalty)

    def complete(self, values: FloatArray) -> FloatArray:
        """See Loss."""
        return values

    def _spread(self) -> FloatArray:
        return self._weighted(self._missed / (1 + self._odds))


def loss_of(codes: IntArray, n_classes: int, weights: FloatArray | None) -> Loss:
    """The loss for so many classes; see the parameters of SoftmaxLoss."""
    return BinaryLoss(codes, weights) if n_classes == 2 else SoftmaxLoss(codes, n_classes, weights)


def objective(loss: Loss, W: FloatArray, penalty: FloatArray) -> float:
    """The loss where it is, and half the squared weights W (r, width) times the penalty (width,) of their columns."""
    return loss.value() + 0.5 * float(np.vdot(W * penalty, W))
