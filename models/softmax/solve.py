"""Softmax regression with an L2 penalty: many training sets and strengths solved at once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray, IntArray
from models.softmax.design_matrix.design import DesignMatrix
from models.softmax.design_matrix.principal_axes import axes_to_find, transform
from models.softmax.design_matrix.training_sets import (
    GROUPS,
    TrainingSets,
    merge_equal_samples,
    training_sets,
)
from models.softmax.design_matrix.transformed_block import (
    Features,
    GivenBlock,
    IndexedBlock,
    Part,
    blocks_of,
    split_columns,
)
from models.softmax.device import Device, on_gpu, solve_on_gpu
from models.softmax.path import SoftmaxFit, minimise
from models.softmax.problem import (
    Problem,
    Solution,
    batches,
    distinct_codes,
    portions,
    training_set_numbers,
)

STRONGEST, WEAKEST = 1e-37, 1e37  # C in single precision
FAR = 1e-4  # distance to the smallest objective, relative to it, that is worth a warning
# estimated distance to the smallest objective; the estimate is up to 5 times too small
TOLERANCE = 2e-7


class Stopping(NamedTuple):
    """When to leave a problem: at this estimated relative distance, or after so many iterations."""

    tolerance: float
    max_iter: int


def solve(features: Features, y: IntArray, problems: Sequence[Problem], *,
          tolerance: float = TOLERANCE, max_iter: int = 500,
          device: Device = "cpu") -> list[Solution]:
    r"""Minimise every problem's objective; the results stand in the order of `problems`.

    The objective is that of scikit-learn's LogisticRegression (lbfgs), which is for three classes
    and more

    .. math:: \sum_i w_i \log\sum_k e^{z_{ik} - z_{iy_i}} + \frac{1}{2C}\|W\|^2,
        \quad z_{ik} = x_i \cdot W_k + b_k

    and for two classes the same with one vector :math:`W_1 - W_0` in the penalty. All problems are
    solved together: one wide product with the features per iteration serves them all. The method is
    L-BFGS (Nocedal & Wright, Numerical Optimization, algorithm 7.4) in the principal axes of the
    features, where the diagonal of the Hessian is a good preconditioner. The strengths of one
    training set are a path, smallest C first: each starts from the best combination of the
    solutions before it. README.md in this folder explains the method.

    The axes are those of the rows of all problems. They decide the path and not the solution;
    still, to the last bit a solution may depend on rows that only other problems of the same call
    learn from. Rows of no problem are never read. So solve together only what may know of each
    other: the inner folds of one outer training set, not two outer folds.

    Parameters
    ----------
    features : float32 (n, d), CSR (n, d), transformed rows (IndexedBlock), rows for a GPU
        (GivenBlock), or a list of such blocks, side by side
    y : int (n,), class codes from 0
    problems : fits to make
    tolerance : relative distance to the smallest objective at which a problem is left
    max_iter : most iterations of a problem; `converged` tells whether they sufficed
    device : "cuda" solves what is dense and large enough on a GPU (`torch_device`), to other last
        bits: it belongs into a result's key

    Raises
    ------
    ValueError
        Where training rows hold fewer than two classes, or C is out of bounds; all such problems
        are named.
    RuntimeError
        On "cuda" where there is none, or too little memory for the rows and a single problem.

    Warns
    -----
    ConvergenceWarning
        Where `max_iter` iterations, or the rounding errors, end further than FAR from the smallest
        objective.
    """
    y, blocks = np.asarray(y), blocks_of(features)
    _check(y, problems)
    stopping = Stopping(tolerance, max_iter)
    solutions: dict[int, Solution] = {}
    for positions in batches(blocks, problems):
        batch = [problems[position] for position in positions]
        vectors = sum(len(distinct_codes(y[problem.rows])) - 1 for problem in batch)
        solver = solve_on_gpu if on_gpu(device, blocks, vectors) else _solve_batch
        solutions.update(zip(positions, solver(blocks, y, batch, stopping), strict=True))
    _warn_of_distance(solutions.values())
    return [solutions[position] for position in range(len(problems))]


def _warn_of_distance(solutions: Iterable[Solution]) -> None:
    far = [solution.gap for solution in solutions if not solution.gap <= FAR]
    if far:
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(
            f"{len(far)} softmax regressions have not converged, {max(far):.0e} from the smallest "
            "objective where that is most: standardise the features or lower C",
            ConvergenceWarning,
            stacklevel=3,
        )


def _check(y: IntArray, problems: Sequence[Problem]) -> None:
    faults = []
    for position, problem in enumerate(problems):
        if not STRONGEST <= problem.C <= WEAKEST:
            faults.append(
                f"problem {position}: C must be positive, {STRONGEST} to {WEAKEST}, not {problem.C}"
            )
        counted = (
            slice(None) if problem.weights is None else np.asarray(problem.weights, np.float32) > 0
        )
        classes = distinct_codes(y[problem.rows][counted])
        if len(classes) < 2:
            faults.append(
                f"problem {position}: its {len(problem.rows)} training rows hold the classes "
                f"{classes.tolist()}; at least two are needed"
            )
    if faults:
        raise ValueError("\n".join(faults))


def _solve_batch(
    blocks: Sequence[Part],
    y: IntArray,
    batch: Sequence[Problem],
    stopping: Stopping,
) -> list[Solution]:
    numbers = training_set_numbers(batch)
    representatives = [batch[numbers.index(number)] for number in range(max(numbers) + 1)]
    union = distinct_codes(np.concatenate([problem.rows for problem in representatives]))
    vectors = sum(len(distinct_codes(y[problem.rows])) - 1 for problem in batch)
    transformed = _transformed(blocks, union, batch[0].scale, vectors)
    sets = _training_sets(transformed, y, union, representatives)
    if len(sets.groups) > GROUPS * len(representatives):
        return _solve_apart(blocks, y, batch, numbers, stopping)
    design = DesignMatrix(transformed, sets, vectors > 1)
    codes = y[union][sets.samples]
    labels = [_labels(codes[members.rows]) for members in sets.sets]
    solutions: dict[int, Solution] = {}
    for portion in portions(batch, numbers, design.sets, design.width, vectors):
        fits = [
            SoftmaxFit(
                batch[position].C,
                batch[position].factors or [1.0] * len(blocks),
                numbers[position],
                design,
                *labels[numbers[position]],
            )
            for position in portion
        ]
        minimise(design, fits, *stopping)
        solved = _solutions(fits, transformed, design, stopping.tolerance)
        solutions.update(zip(portion, solved, strict=True))
    return [solutions[position] for position in range(len(batch))]


def _training_sets(
    transformed: Sequence[IndexedBlock],
    y: IntArray,
    union: IntArray,
    representatives: Sequence[Problem],
) -> TrainingSets:
    """The training sets of the problems among the samples of `union`."""
    samples, row = merge_equal_samples([block.index for block in transformed], y[union])
    members = [
        (np.searchsorted(union, problem.rows), problem.weights) for problem in representatives
    ]
    return training_sets(samples, row, members)


def _labels(codes: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct codes, and the position of each row's among them."""
    classes = distinct_codes(codes)
    return classes, np.searchsorted(classes, codes)


def _solve_apart(
    blocks: Sequence[Part],
    y: IntArray,
    batch: Sequence[Problem],
    numbers: Sequence[int],
    stopping: Stopping,
) -> list[Solution]:
    """Solve each training set by itself, where they have too little in common."""
    solutions: dict[int, Solution] = {}
    for number in range(max(numbers) + 1):
        positions = [position for position, other in enumerate(numbers) if other == number]
        part = [batch[position] for position in positions]
        solutions.update(zip(positions, _solve_batch(blocks, y, part, stopping), strict=True))
    return [solutions[position] for position in range(len(batch))]


def _transformed(
    blocks: Sequence[Part],
    rows: IntArray,
    scale: NDArray[Any] | None,
    vectors: int,
) -> list[IndexedBlock]:
    """Those rows of the blocks, in their principal axes where that pays."""
    matrices = [block for block in blocks if not isinstance(block, IndexedBlock | GivenBlock)]
    scales: Any = iter([None] * len(matrices) if scale is None
                       else split_columns(scale, [block.shape[1] for block in matrices]))
    everyone = np.arange(len(rows))
    transformed = []
    for block in blocks:
        if isinstance(block, IndexedBlock):
            transformed.append(IndexedBlock(block.transformed, block.index[rows]))
        elif isinstance(block, GivenBlock):
            transformed.append(
                IndexedBlock(transform(block.rows, counts=block.counts), block.index[rows])
            )
        else:
            used = block if len(rows) == block.shape[0] else block[rows]
            axes = axes_to_find(len(rows), block.shape[1], vectors)
            transformed.append(IndexedBlock(transform(used, next(scales), axes=axes), everyone))
    return transformed


def _solutions(
    fits: Sequence[SoftmaxFit],
    transformed: Sequence[IndexedBlock],
    design: DesignMatrix,
    tolerance: float,
) -> list[Solution]:
    weights = np.concatenate([fit.optimiser.weights for fit in fits])
    parts = [
        block.transformed.to_original(weights[:, columns])
        for block, columns in zip(transformed, design.columns, strict=True)
    ]
    coefs = np.concatenate([coef for coef, _ in parts], axis=1)
    intercepts = weights[:, -1] + sum(share for _, share in parts)
    ends = np.cumsum([len(fit.optimiser.W) for fit in fits])[:-1]
    return [
        _solution(fit, coef, intercept, tolerance)
        for fit, coef, intercept in zip(
            fits, np.split(coefs, ends), np.split(intercepts, ends), strict=True
        )
    ]


def _solution(
    fit: SoftmaxFit, coef: FloatArray, intercept: NDArray[np.float64], tolerance: float
) -> Solution:
    optimiser = fit.optimiser
    return Solution(
        fit.classes,
        coef,
        intercept,
        optimiser.objective,
        optimiser.n_iter,
        optimiser.gap,
        optimiser.gap <= tolerance,
    )
