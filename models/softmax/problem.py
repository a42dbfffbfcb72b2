"""A problem of the softmax solver, and its solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.softmax.principal_axes import Matrix, blocks_of, split_columns

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Problem:
    """One fit: which rows to learn from, how strongly to regularise, and how to scale the columns.

    Centring is not a parameter: the intercept is not penalised, so it cannot change the solution.

    Parameters
    ----------
    rows : int (m,)
        Positions of the training rows.
    C : float
        Inverse strength of the penalty, as in scikit-learn's LogisticRegression.
    scale : float (d,), optional
        Factor of each column, for example 1 / standard deviation of the training rows.
    weights : float (m,), optional
        Weight of each training row's loss.
    factors : float (number of blocks,), optional
        Factor of all columns of each block; unlike `scale` it may differ between problems solved
        together.
    """

    rows: IntArray
    C: float
    scale: NDArray[Any] | None = None
    weights: NDArray[Any] | None = None
    factors: Sequence[float] | None = None

    def training_set(self) -> tuple[bytes, bytes]:
        """What tells its training set from others: rows and weights."""
        return bytes_of(np.asarray(self.rows, np.int64)), bytes_of(self.weights)


def bytes_of(values: NDArray[Any] | None) -> bytes:
    """What tells arrays apart; nothing for none."""
    return b"" if values is None else np.asarray(values).tobytes()


@dataclass(frozen=True, eq=False)
class Solution:
    """Coefficients for the features as they are: the columns' scale is already multiplied in.

    Attributes
    ----------
    classes : int (k,), sorted codes of the classes among the training rows.
    coef : float32 (k, d), or (1, d) for two classes, as scikit-learn has it.
    intercept : float64 (k,) or (1,).
    objective : sum of cross-entropies + penalty / C at the solution.
    n_iter : passes over the features.
    gap : estimated distance to the smallest objective, relative to `objective`.
    converged : whether `gap` is within the tolerance.
    """

    classes: IntArray
    coef: FloatArray
    intercept: NDArray[np.float64]
    objective: float
    n_iter: int
    gap: float
    converged: bool

    def probabilities(self, features: Matrix | Sequence[Matrix], rows: IntArray,
                      n_classes: int) -> NDArray[np.float64]:
        """Probabilities (m, n_classes) of the samples `rows`; 0 for classes absent from training."""
        blocks: Any = blocks_of(features)
        parts = split_columns(self.coef, [block.shape[1] for block in blocks])
        return self.odds(
            sum(block[rows] @ part.T for block, part in zip(blocks, parts, strict=True)), n_classes
        )

    def rescaled(self, factors: FloatArray, means: FloatArray) -> Solution:
        """The same solution for the columns (x - means) * factors."""
        return replace(
            self,
            coef=self.coef / factors,
            intercept=self.intercept + self.coef @ means.astype(np.float64),
        )

    def odds(self, products: NDArray[Any], n_classes: int) -> NDArray[np.float64]:
        """Probabilities (m, n_classes) from the products (m, k) or (m, 1) of features and coefficients."""
        logits = products + self.intercept
        if len(self.classes) == 2:
            logits = np.hstack([np.zeros_like(logits), logits])
        logits -= logits.max(axis=1, keepdims=True)
        odds = np.exp(logits)
        result = np.zeros((len(logits), n_classes))
        result[:, self.classes] = odds / odds.sum(axis=1, keepdims=True)
        return result
