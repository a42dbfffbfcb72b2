"""What each piece of the softmax solver that exists for speed gains: switched off against on.

Run by ``OMP_NUM_THREADS=1 python -m benchmarks.softmax --ablate [NAME ...]``. Both sides alternate
in one process; the table gives the median ratio of CPU seconds, off by on (above 1 the piece
gains), its range, and the iterations of both sides. A piece that gains less than a tenth on every
case does not belong in the solver.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.softmax_cases import Case, features, splits
from models.softmax import lbfgs, path, warm_start
from models.softmax import solve as solving
from models.softmax.design_matrix import design, principal_axes, products
from models.softmax.design_matrix.principal_axes import transform
from models.softmax.design_matrix.transformed_block import IndexedBlock
from models.softmax.losses import Loss, SoftmaxLoss
from models.softmax.path import SoftmaxFit
from models.softmax.problem import Problem, Solution
from models.softmax.warm_start import Point, WarmStart

FOUR = (1e-3, 1e-2, 1e-1, 1.0)
FIVE = (1e-4, *FOUR)
DISTINCT = 1500  # rows of the case whose samples repeat
PAIRS, SECONDS = 3, 0.12  # pairs of measurements, and how long a side of a pair takes at least
CASES = {
    "1000 x 500, 2 classes, 1 fit": Case(1000, 500, 2, 1, (0.1,)),
    "2000 x 1000, 10 classes, 1 fit": Case(2000, 1000, 10, 1, (0.1,)),
    "1000 x 1664, 8 classes, 20 fits": Case(1000, 1664, 8, 5, FOUR),
    "10000 x 100, 2 classes, 25 fits": Case(10_000, 100, 2, 5, FIVE),
    "5000 x 300, 30 classes, 20 fits": Case(5000, 300, 30, 5, FOUR),
    "5000 x 1664, 10 classes, 20 fits": Case(5000, 1664, 10, 5, FOUR),
    "sparse 5000 x 8000, 8 classes, 20 fits": Case(5000, 8000, 8, 5, FOUR, density=0.004),
    "sparse 1640 x 5000, 8 classes, 25 fits": Case(1640, 5000, 8, 5, FIVE, density=0.004),
    "repeated 6000 x 300, 8 classes, 20 fits": Case(6000, 300, 8, 5, FOUR),
}


class Patch(NamedTuple):
    """An attribute of a module or class, and its value while a piece is switched off."""

    owner: Any
    name: str
    value: Any


def _cold_start(fit: SoftmaxFit, start: WarmStart | None) -> None:
    _begin(fit, None)


def _renewed_at_start(fit: SoftmaxFit) -> bool:
    return fit.optimiser.n_iter == 0 or bool(_is_outdated(fit))


def _softmax_of_two(codes: Any, n_classes: int, weights: Any) -> Loss:
    """A logit each for two classes too: the solution under half the penalty, by twice the work."""
    return SoftmaxLoss(codes, n_classes, weights)


def _last_point(points: Sequence[Point], penalty: Any, loss: Loss) -> Any:
    loss.evaluate(points[-1].Z)
    return points[-1].W


def _without_merging(indices: Any, y: NDArray[np.int64]) -> Any:
    return np.arange(len(y)), np.arange(len(y))


def _each_training_set(X: Any, y: Any, problems: Sequence[Problem]) -> list[Solution]:
    groups: dict[Any, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(problem.training_set(), []).append(problem)
    solutions = []
    for group in groups.values():
        solutions += _solve(X, y, group)
    return solutions


_begin, _solve = SoftmaxFit.begin, solving.solve
_is_outdated: Any = vars(SoftmaxFit)["preconditioner_is_outdated"].fget
SWITCHES: dict[str, list[Patch]] = {
    "principal axes": [
        Patch(principal_axes, "rotation_pays", lambda *sizes: False),
        Patch(principal_axes, "MOST_LEADING", 0),
    ],
    "axes of sparse rows": [Patch(principal_axes, "FILLED", 0)],
    "problems solved together": [Patch(solving, "solve", _each_training_set)],
    "equal samples merged": [Patch(solving, "merge_equal_samples", _without_merging)],
    "distinct rows": [Patch(design, "REPEATS", 10**9)],
    "transposed copies": [Patch(design, "_transposed", lambda X, several: X.T)],
    "warm start": [Patch(SoftmaxFit, "begin", _cold_start)],
    "combination of solutions": [Patch(lbfgs, "best_combination", _last_point)],
    "more than the last solution": [Patch(warm_start, "POINTS", 1), Patch(lbfgs, "POINTS", 1)],
    "preconditioner taken over": [
        Patch(SoftmaxFit, "preconditioner_is_outdated", property(_renewed_at_start))
    ],
    "renewal": [Patch(path, "RENEWAL_SHARE", 1e-9), Patch(path, "RENEWAL_SHARE_AS_GIVEN", 1e-9)],
    "renewal by kind of columns": [Patch(path, "RENEWAL_SHARE_AS_GIVEN", path.RENEWAL_SHARE)],
    "dense block": [Patch(path, "LARGEST_BLOCK", 0)],
    "block of few rows": [Patch(path, "BLOCK_ROWS", 10**9)],
    "tiles": [Patch(products, "has_small_kernels", lambda: False)],
    "two classes with one logit": [Patch(path, "loss_of", _softmax_of_two)],
}


def case_features(name: str, case: Case) -> tuple[Any, NDArray[Any]]:
    """The features and class codes; of repeated rows, the distinct rows and an index."""
    if not name.startswith("repeated"):
        return features(case)
    rng = np.random.default_rng(0)
    X, codes = features(case._replace(n=DISTINCT))
    index = rng.integers(0, DISTINCT, case.n)
    other = rng.integers(0, case.k, case.n)
    return (X, index), np.where(rng.random(case.n) < 0.5, codes[index], other)


def solved(X: Any, y: NDArray[Any], case: Case) -> list[Solution]:
    """All folds and strengths."""
    if isinstance(X, tuple):
        rows, index = X
        counts = np.maximum(np.bincount(index, minlength=len(rows)), 1)
        X = IndexedBlock(transform(rows, counts=counts), index)
    problems = []
    for train, _ in splits(case):
        problems += [Problem(train, C) for C in case.strengths]
    return solving.solve(X, y, problems)


def timed(work: Callable[[], list[Solution]], repeats: int) -> tuple[float, int]:
    """CPU seconds of one run, and the iterations of all problems."""
    start = time.process_time()
    for _ in range(repeats):
        solutions = work()
    seconds = (time.process_time() - start) / repeats
    return seconds, sum(solution.n_iter for solution in solutions)


def compare(work: Callable[[], list[Solution]], switch: str) -> str:
    """Ratios of a switch on a case; the end of a row of the table."""
    repeats = max(1, int(SECONDS / timed(work, 1)[0]))
    ratios, iterations = [], {}
    for pair in range(PAIRS):
        seconds = {}
        for off in (pair % 2 == 0, pair % 2 == 1):
            with ExitStack() as stack:
                for owner, name, value in SWITCHES[switch] if off else []:
                    stack.enter_context(patch.object(owner, name, value))
                seconds[off], iterations[off] = timed(work, repeats)
        ratios.append(seconds[True] / seconds[False])
    return (f"{seconds[False]:8.3f} s {statistics.median(ratios):6.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) {iterations[True]:6d}{iterations[False]:6d}")


def ablate(switches: Sequence[str]) -> None:
    """Print the table, of these switches or of all."""
    print(f"{'case':40}{'switched off':30}{'on':>10}{'off/on':>7}{'iterations off, on':>34}")
    for name, case in CASES.items():
        X, y = case_features(name, case)
        work = partial(solved, X, y, case)
        for switch in switches or SWITCHES:
            print(f"{name:40}{switch:30}{compare(work, switch)}", flush=True)
