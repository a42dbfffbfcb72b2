"""Softmax regression with an L2 penalty: many training sets and strengths of one feature matrix at once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.softmax.design import Arena
from models.softmax.path import SoftmaxFit, descend
from models.softmax.principal_axes import (
    Features,
    Indexed,
    Matrix,
    blocks_of,
    split_columns,
    turn,
    worthwhile_axes,
)
from models.softmax.problem import FloatArray, IntArray, Problem, Solution, bytes_of
from models.softmax.training_sets import PIECES, merged, training_sets

AT_ONCE = 2**29  # bytes held for the problems of a batch
# Arrays as large as the logits, and as the weights, of a problem that is under way, and of one that
# is solved.
OF_LOGITS, OF_WEIGHTS, SOLVED = 12, 28, 3
STRONGEST, WEAKEST = 1e-37, 1e37  # C in single precision
FAR = 1e-4  # distance to the smallest objective, relative to it, that is worth a warning
# estimated distance to the smallest objective; the estimate is up to 5 times too small
TOLERANCE = 2e-7


def solve(features: Features, y: IntArray, problems: Sequence[Problem], *,
          tolerance: float = TOLERANCE, max_iter: int = 500) -> list[Solution]:
    r"""Minimise every problem's objective; the results stand in the order of `problems`.

    The objective is that of scikit-learn's LogisticRegression (lbfgs), which is for three classes
    and more

    .. math:: \sum_i w_i \log\sum_k e^{z_{ik} - z_{iy_i}} + \frac{1}{2C}\|W\|^2,
        \quad z_{ik} = x_i \cdot W_k + b_k

    and for two classes the same with one vector :math:`W_1 - W_0` in the penalty. All problems are
    solved together: one wide product with the features per iteration serves them all. The method is
    L-BFGS (Nocedal & Wright, Numerical Optimization, algorithm 7.4) in the principal axes of the
    features, where the diagonal of the Hessian is a good preconditioner. The strengths of one
    training set follow each other, weakest C first: each starts from the best combination of the
    solutions before it, which halves the iterations.

    The axes are those of the rows of all problems. They decide the path and not the solution;
    still, to the last bit a solution may depend on rows that only other problems of the same call
    learn from. Rows of no problem are never read. So solve together only what may know of each
    other: the inner folds of one outer training set, not two outer folds.

    Parameters
    ----------
    features : float32 (n, d), CSR (n, d), rows turned before (Indexed), or a list of such blocks,
        side by side
    y : int (n,), class codes from 0
    problems : fits to make
    tolerance : relative distance to the smallest objective at which a problem is left
    max_iter : most iterations of a problem; `converged` tells whether they sufficed

    Raises
    ------
    ValueError
        Where training rows hold fewer than two classes, or C is out of bounds; all such problems
        are named.

    Warns
    -----
    ConvergenceWarning
        Where `max_iter` iterations, or the rounding errors, end further than FAR from the smallest
        objective.
    """
    y, blocks = np.asarray(y), blocks_of(features)
    _check(y, problems)
    solutions: dict[int, Solution] = {}
    for positions in _together(blocks, problems):
        batch = [problems[position] for position in positions]
        solutions.update(
            zip(positions, _solve_together(blocks, y, batch, tolerance, max_iter), strict=True)
        )
    _warn_of_distance(solutions.values())
    return [solutions[position] for position in range(len(problems))]


def _warn_of_distance(solutions: Iterable[Solution]) -> None:
    far = [solution.gap for solution in solutions if not solution.gap <= FAR]
    if far:
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(f"{len(far)} softmax regressions have not converged, {max(far):.0e} from the smallest objective "
                      "where that is most: standardise the features or lower C", ConvergenceWarning, stacklevel=3)


def _check(y: IntArray, problems: Sequence[Problem]) -> None:
    faults = []
    for position, problem in enumerate(problems):
        if not STRONGEST <= problem.C <= WEAKEST:
            faults.append(
                f"problem {position}: C must be positive, {STRONGEST} to {WEAKEST}, not {problem.C}"
            )
        taught = (
            slice(None) if problem.weights is None else np.asarray(problem.weights, np.float32) > 0
        )
        classes = _present(y[problem.rows][taught])
        if len(classes) < 2:
            faults.append(f"problem {position}: its {len(problem.rows)} training rows hold the classes "
                          f"{classes.tolist()}; at least two are needed")
    if faults:
        raise ValueError("\n".join(faults))


def _present(codes: IntArray) -> IntArray:
    """The distinct codes, ascending."""
    return np.flatnonzero(np.bincount(codes))


def _together(
    blocks: Sequence[Matrix | Indexed], problems: Sequence[Problem]
) -> Iterator[list[int]]:
    """Positions of the problems that are solved together: one scale, and training sets of much the same rows."""
    scales: dict[bytes, dict[Any, list[int]]] = {}
    for position, problem in enumerate(problems):
        sets = scales.setdefault(bytes_of(problem.scale), {})
        sets.setdefault(problem.training_set(), []).append(position)
    for sets in scales.values():
        smallest = min(len(problems[positions[0]].rows) for positions in sets.values())
        union = len(
            _present(np.concatenate([problems[positions[0]].rows for positions in sets.values()]))
        )
        widths = [block.shape[1] for block in blocks if isinstance(block, np.ndarray)]
        if sum(min(union, width) for width in widths) <= 2 * sum(
            min(smallest, width) for width in widths
        ):
            yield sorted(position for positions in sets.values() for position in positions)
        else:  # their common axes would be many more than each needs
            yield from sets.values()


def _solve_together(blocks: Sequence[Matrix | Indexed], y: IntArray, batch: Sequence[Problem],
                    tolerance: float, max_iter: int) -> list[Solution]:
    numbers: dict[Any, int] = {}
    of = [numbers.setdefault(problem.training_set(), len(numbers)) for problem in batch]
    wanted = [batch[of.index(number)] for number in range(len(numbers))]
    union = _present(np.concatenate([problem.rows for problem in wanted]))
    columns = sum(len(_present(y[problem.rows])) - 1 for problem in batch)
    turned = _turned(blocks, union, batch[0].scale, columns)
    samples, row = merged([block.index for block in turned], y[union])
    sets = training_sets(samples, row, [(np.searchsorted(union, problem.rows), problem.weights)
                                        for problem in wanted])
    if len(sets.pieces) > PIECES * len(wanted):
        return _one_by_one(blocks, y, batch, of, tolerance, max_iter)
    arena, codes = Arena(turned, sets, columns > 1), y[union][sets.samples]
    coded = [_coded(codes[each.rows]) for each in sets.sets]
    solutions: dict[int, Solution] = {}
    for portion in _portions(batch, of, arena, columns):
        fits = [
            SoftmaxFit(
                batch[position].C,
                batch[position].factors or [1.0] * len(blocks),
                of[position],
                arena,
                *coded[of[position]],
            )
            for position in portion
        ]
        descend(arena, fits, tolerance, max_iter)
        solutions.update(zip(portion, _solutions(fits, turned, arena, tolerance), strict=True))
    return [solutions[position] for position in range(len(batch))]


def _coded(codes: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct codes, and the position of each row's among them."""
    present = _present(codes)
    return present, np.searchsorted(present, codes)


def _one_by_one(
    blocks: Sequence[Matrix | Indexed],
    y: IntArray,
    batch: Sequence[Problem],
    of: Sequence[int],
    tolerance: float,
    max_iter: int,
) -> list[Solution]:
    """Solve each training set by itself, where they have too little in common."""
    solutions: dict[int, Solution] = {}
    for number in range(max(of) + 1):
        positions = [position for position, each in enumerate(of) if each == number]
        part = [batch[position] for position in positions]
        solutions.update(
            zip(positions, _solve_together(blocks, y, part, tolerance, max_iter), strict=True)
        )
    return [solutions[position] for position in range(len(batch))]


def _turned(blocks: Sequence[Matrix | Indexed], rows: IntArray, scale: NDArray[Any] | None,
            columns: int) -> list[Indexed]:
    """Those rows of the blocks, turned to their axes where they are not yet, and where it pays."""
    matrices = [block for block in blocks if not isinstance(block, Indexed)]
    scales: Any = iter([None] * len(matrices) if scale is None
                       else split_columns(scale, [block.shape[1] for block in matrices]))
    everyone = np.arange(len(rows))
    found = []
    for block in blocks:
        if isinstance(block, Indexed):
            found.append(Indexed(block.turned, block.index[rows]))
        else:
            used = block if len(rows) == block.shape[0] else block[rows]
            axes = worthwhile_axes(len(rows), block.shape[1], columns)
            found.append(Indexed(turn(used, next(scales), axes=axes), everyone))
    return found


def _portions(
    batch: Sequence[Problem], of: Sequence[int], arena: Arena, columns: int
) -> Iterator[list[int]]:
    """Positions of problems that fit into memory together; those of a family are under way one after the other."""
    families: dict[tuple[int, tuple[float, ...]], list[int]] = {}
    for position, (problem, number) in enumerate(zip(batch, of, strict=True)):
        families.setdefault((number, tuple(problem.factors or ())), []).append(position)
    portion: list[int] = []
    held, classes = 0, columns // len(batch) + 1
    for (number, _), positions in families.items():
        size = 4 * classes * (OF_LOGITS * len(arena.sets[number].rows)
                              + (OF_WEIGHTS + SOLVED * len(positions)) * arena.width)
        if portion and held + size > AT_ONCE:
            yield portion
            portion, held = [], 0
        portion += positions
        held += size
    yield portion


def _solutions(
    fits: Sequence[SoftmaxFit], turned: Sequence[Indexed], arena: Arena, tolerance: float
) -> list[Solution]:
    weights = np.concatenate([fit.descent.weights for fit in fits])
    found = [
        block.turned.raw(weights[:, columns])
        for block, columns in zip(turned, arena.columns, strict=True)
    ]
    coefs = np.concatenate([coef for coef, _ in found], axis=1)
    intercepts = weights[:, -1] + sum(share for _, share in found)
    ends = np.cumsum([len(fit.descent.W) for fit in fits])[:-1]
    return [_solution(fit, coef, intercept, tolerance) for fit, coef, intercept in zip(
        fits, np.split(coefs, ends), np.split(intercepts, ends), strict=True)]


def _solution(
    fit: SoftmaxFit, coef: FloatArray, intercept: NDArray[np.float64], tolerance: float
) -> Solution:
    descent = fit.descent
    return Solution(fit.classes, coef, intercept, descent.objective, descent.n_iter, descent.gap,
                    descent.gap <= tolerance)
