"""A problem of the softmax solver, its solution, and which problems are solved together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray, IntArray
from models.softmax.design_matrix.training_sets import TrainingSet
from models.softmax.design_matrix.transformed_block import (
    Matrix,
    Part,
    blocks_of,
    split_columns,
)

AT_ONCE = 2**29  # bytes held for the problems of a portion
# Arrays as large as the logits, and as the weights, of a problem that is under way, and of a solved
# problem.
OF_LOGITS, OF_WEIGHTS, SOLVED = 12, 28, 3


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
        """Rows and weights as bytes: equal for the same training set only."""
        return bytes_of(np.asarray(self.rows, np.int64)), bytes_of(self.weights)


def bytes_of(values: NDArray[Any] | None) -> bytes:
    """The bytes of an array; none for None."""
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
        """Probabilities (m, n_classes) of these rows; 0 for classes absent from training."""
        blocks: Any = blocks_of(features)
        parts = split_columns(self.coef, [block.shape[1] for block in blocks])
        return self.probabilities_of(
            sum(block[rows] @ part.T for block, part in zip(blocks, parts, strict=True)), n_classes
        )

    def rescaled(self, factors: FloatArray, means: FloatArray) -> Solution:
        """The same solution for the columns (x - means) * factors.

        Columns with a factor of 0 say nothing, and have coefficients of 0.
        """
        coef = np.zeros_like(self.coef)
        np.divide(self.coef, factors, out=coef, where=factors != 0)
        return replace(
            self,
            coef=coef,
            intercept=self.intercept + self.coef @ means.astype(np.float64),
        )

    def probabilities_of(self, products: NDArray[Any], n_classes: int) -> NDArray[np.float64]:
        """Probabilities (m, n_classes) from the products (m, k) or (m, 1) with the coefficients."""
        logits = products + self.intercept
        if len(self.classes) == 2:
            logits = np.hstack([np.zeros_like(logits), logits])
        logits -= logits.max(axis=1, keepdims=True)
        odds = np.exp(logits)
        result = np.zeros((len(logits), n_classes))
        result[:, self.classes] = odds / odds.sum(axis=1, keepdims=True)
        return result


def distinct_codes(codes: IntArray) -> IntArray:
    """The distinct codes (or row numbers), ascending."""
    return np.flatnonzero(np.bincount(codes))


def training_set_numbers(problems: Sequence[Problem]) -> list[int]:
    """The number of each problem's training set, counted as they first appear."""
    numbers: dict[Any, int] = {}
    return [numbers.setdefault(problem.training_set(), len(numbers)) for problem in problems]


def batches(
    blocks: Sequence[Part], problems: Sequence[Problem]
) -> Iterator[list[int]]:
    """Positions of the problems of a batch: of the same scale, and of much the same rows."""
    scales: dict[bytes, dict[Any, list[int]]] = {}
    for position, problem in enumerate(problems):
        sets = scales.setdefault(bytes_of(problem.scale), {})
        sets.setdefault(problem.training_set(), []).append(position)
    widths = [block.shape[1] for block in blocks if isinstance(block, np.ndarray)]
    for sets in scales.values():
        rows = [problems[positions[0]].rows for positions in sets.values()]
        smallest, union = min(map(len, rows)), len(distinct_codes(np.concatenate(rows)))
        if sum(min(union, width) for width in widths) <= 2 * sum(
            min(smallest, width) for width in widths
        ):
            yield sorted(np.concatenate(list(sets.values())).tolist())
        else:  # their common axes would be many more than each needs
            yield from sets.values()


def portions(
    batch: Sequence[Problem],
    numbers: Sequence[int],
    sets: Sequence[TrainingSet],
    width: int,
    vectors: int,
) -> Iterator[list[int]]:
    """Positions of problems that fit into memory together; a path's problems stay together.

    Parameters
    ----------
    batch, numbers : the problems, and the numbers of their training sets
    sets : the training sets
    width : columns of the design matrix
    vectors : weight vectors of all problems
    """
    paths: dict[tuple[int, tuple[float, ...]], list[int]] = {}
    for position, (problem, number) in enumerate(zip(batch, numbers, strict=True)):
        paths.setdefault((number, tuple(problem.factors or ())), []).append(position)
    portion: list[int] = []
    held, classes = 0, vectors // len(batch) + 1
    for (number, _), positions in paths.items():
        size = 4 * classes * (OF_LOGITS * len(sets[number].rows)
                              + (OF_WEIGHTS + SOLVED * len(positions)) * width)
        if portion and held + size > AT_ONCE:
            yield portion
            portion, held = [], 0
        portion += positions
        held += size
    yield portion
