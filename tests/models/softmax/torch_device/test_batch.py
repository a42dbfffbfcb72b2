"""Solved by torch in one batch, on the processor: the same minima as NumPy's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from models.softmax.design_matrix.transformed_block import GivenBlock
from models.softmax.problem import Problem, Solution
from models.softmax.solve import TOLERANCE, Stopping, solve
from models.softmax.torch_device import axes, batch, design, hessian
from models.softmax.torch_device.batch import solve_batch

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
MILLIONTH = 1e-6


def samples(n=150, d=12, k=4, seed=0):
    """Overlapping classes in columns of different spread and offset."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % k)
    X = rng.normal(size=(n, d)) + 0.7 * rng.normal(size=(k, d))[y]
    return (X * np.geomspace(0.3, 3, d) + rng.normal(size=d)).astype(np.float32), y


def folds(n, Cs, count=3, **parameters):
    """A problem of every strength on all rows but each fold."""
    rows = [np.flatnonzero(np.arange(n) % count != fold) for fold in range(count)]
    return [Problem(of_fold, C, **parameters) for of_fold, C in itertools.product(rows, Cs)]


def by_torch(blocks, y, problems, max_iter=500, device=CPU):
    given = [
        block if isinstance(block, GivenBlock) else GivenBlock(block, np.arange(len(block)))
        for block in blocks
    ]
    return solve_batch(given, y, problems, Stopping(TOLERANCE, max_iter), device)


def objective(X, y, problem, solution):
    """What is minimised, in float64; X with the problem's factors multiplied in."""
    rows, scale = problem.rows, 1.0 if problem.scale is None else problem.scale
    logits = X[rows].astype(np.float64) @ solution.coef.T.astype(np.float64) + solution.intercept
    if logits.shape[1] == 1:
        logits = np.hstack([np.zeros_like(logits), logits])
    codes = np.searchsorted(solution.classes, y[rows])
    losses = logsumexp(logits, axis=1) - logits[np.arange(len(rows)), codes]
    weighted = losses.sum() if problem.weights is None else losses @ problem.weights
    return weighted + 0.5 / problem.C * np.square(solution.coef / scale, dtype=np.float64).sum()


def assert_same_minima(X, y, problems, solutions, expected):
    assert len(solutions) == len(expected) == len(problems)
    rows = np.arange(len(y))
    for problem, solution, reference in zip(problems, solutions, expected, strict=True):
        assert isinstance(solution, Solution)
        assert solution.converged
        assert solution.gap <= TOLERANCE
        assert np.array_equal(solution.classes, reference.classes)
        assert solution.coef.shape == reference.coef.shape
        assert solution.coef.dtype == np.float32
        assert solution.intercept.dtype == np.float64
        assert solution.objective == pytest.approx(reference.objective, rel=MILLIONTH)
        assert objective(X, y, problem, solution) == pytest.approx(
            reference.objective, rel=MILLIONTH
        )
        probabilities = [
            solved.probabilities(X, rows, y.max() + 1) for solved in (solution, reference)
        ]
        assert np.abs(probabilities[0] - probabilities[1]).max() < 2e-3


def assert_as_numpy(X, y, problems, **parameters):
    tight = solve(X, y, problems, tolerance=1e-9, max_iter=2000)
    assert_same_minima(X, y, problems, by_torch([X], y, problems, **parameters), tight)


@pytest.mark.parametrize(("n", "d", "k"), [(150, 12, 4), (60, 200, 3), (150, 12, 2), (40, 90, 2)])
def test_folds_and_strengths_in_one_batch(n, d, k):
    X, y = samples(n, d, k)
    assert_as_numpy(X, y, folds(n, [1e-3, 0.1, 10.0]))


def test_problems_of_other_classes_stand_in_one_batch():
    """Three classes, two (one vector), and without the last of all."""
    X, y = samples(160, 10, 4)
    rows = [np.flatnonzero(y != 1), np.flatnonzero(y < 2), np.flatnonzero(y < 3), np.arange(160)]
    problems = [Problem(of_set, C) for of_set, C in itertools.product(rows, (0.01, 1.0))]
    assert_as_numpy(X, y, problems)
    shapes = [solution.coef.shape for solution in by_torch([X], y, problems)]
    assert shapes == [(3, 10)] * 2 + [(1, 10)] * 2 + [(3, 10)] * 2 + [(4, 10)] * 2


@pytest.mark.parametrize("k", [2, 3])
def test_weighted_rows(k):
    X, y = samples(120, 8, k)
    weights = np.random.default_rng(1).gamma(1.0, size=80)
    weights[:7] = 0.0
    assert_as_numpy(X, y, folds(120, [0.05, 1.0], weights=weights))


def test_scaled_columns():
    X, y = samples()
    assert_as_numpy(X, y, folds(150, [0.1], scale=1 / X.std(axis=0)))


def test_blocks_with_factors_of_their_own():
    X, y = samples(140, 20, 3)
    parts = [X[:, :12], X[:, 12:]]
    problems = folds(140, [0.1, 1.0], factors=[0.5, 2.0]) + folds(140, [0.3], factors=[1.0, 0.25])
    expected = solve([part.copy() for part in parts], y, problems, tolerance=1e-9, max_iter=2000)
    for solution, reference, problem in zip(
        by_torch(parts, y, problems), expected, problems, strict=True
    ):
        assert solution.objective == pytest.approx(reference.objective, rel=MILLIONTH)
        factors = np.repeat(problem.factors, [12, 8])
        scaled = Problem(problem.rows, problem.C, scale=factors)
        assert objective(X, y, scaled, solution) == pytest.approx(
            reference.objective, rel=MILLIONTH
        )


def test_samples_that_share_rows():
    """Distinct rows with counts, and equal samples of a class counted as a single row."""
    X, y = samples(30, 50, 3)
    index = np.random.default_rng(2).integers(30, size=120)
    block = GivenBlock(X, index, np.bincount(index, minlength=30) + 1, ("rows", X, index))
    problems = folds(120, [0.1, 1.0])
    solutions = [by_torch([block], y[index], problems) for _ in range(2)]
    expected = solve(X[index], y[index], problems, tolerance=1e-9, max_iter=2000)
    for solved in solutions:  # the axes found, and the kept ones
        assert_same_minima(X[index], y[index], problems, solved, expected)


def test_training_sets_with_little_in_common_are_solved_apart(monkeypatch):
    X, y = samples(200, 10, 3)
    sizes = []
    whole = batch._on_device

    def recorded(blocks, y, asked, device):
        sizes.append(len(asked[3]))
        return whole(blocks, y, asked, device)

    monkeypatch.setattr(batch, "_on_device", recorded)
    rows = [np.arange(start, start + 40) for start in range(0, 200, 40)]
    problems = [Problem(of_set, C) for of_set, C in itertools.product(rows, (0.1, 1.0))]
    assert_as_numpy(X, y, problems)
    assert sizes == [40] * 5


@pytest.mark.parametrize("pieces", ["no axes", "no dense block", "many columns lead"])
def test_any_preconditioner_leads_to_the_minimum(pieces, monkeypatch):
    X, y = samples(150, 30, 3)
    if pieces == "no axes":
        monkeypatch.setattr(axes, "PRICE", 0)
    elif pieces == "no dense block":
        monkeypatch.setattr(hessian, "LARGEST_BLOCK", 0)
    else:
        monkeypatch.setattr(hessian, "MOST_COLUMNS", 31)
    assert_as_numpy(X, y, folds(150, [0.01, 1.0]))


def test_rows_of_the_dense_block_and_columns_of_the_squares_come_in_parts(monkeypatch):
    X, y = samples(150, 30, 3)
    problems = folds(150, [0.1, 1.0])
    whole = by_torch([X], y, problems)
    monkeypatch.setattr(hessian, "AT_ONCE", 5000)
    monkeypatch.setattr(design, "AT_ONCE", 2000)
    parts = by_torch([X], y, problems)
    for solution, reference in zip(parts, whole, strict=True):
        assert solution.objective == pytest.approx(reference.objective, rel=MILLIONTH)
        assert solution.n_iter == reference.n_iter


def test_portions_give_the_same(monkeypatch):
    X, y = samples()
    problems = folds(150, [0.01, 0.1, 1.0])
    sizes = counted_portions(monkeypatch)
    assert_as_numpy(X, y, problems)
    monkeypatch.setattr(batch, "AT_ONCE", 1)
    assert_as_numpy(X, y, problems)
    assert sizes == [9] + [1] * 9


def counted_portions(monkeypatch, most=None):
    """The sizes of portions that are solved; larger ones than `most` are out of memory."""
    sizes, solved = [], batch._solved

    def counted(of_batch, positions, stopping):
        sizes.append(len(positions))
        if most is not None and len(positions) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return solved(of_batch, positions, stopping)

    monkeypatch.setattr(batch, "_solved", counted)
    return sizes


def test_out_of_memory_halves_the_portion(monkeypatch):
    X, y = samples()
    sizes = counted_portions(monkeypatch, most=3)
    assert_as_numpy(X, y, folds(150, [0.01, 0.1, 1.0]))
    assert sizes == [9, 4, 2, 2, 5, 2, 3]


def test_a_single_problem_that_does_not_fit_is_an_error(monkeypatch):
    X, y = samples()
    sizes = counted_portions(monkeypatch, most=0)
    with pytest.raises(torch.OutOfMemoryError):
        by_torch([X], y, folds(150, [0.1, 1.0]))
    assert sizes == [6, 3, 1]


def test_iterations_that_do_not_suffice_are_told():
    X, y = samples(60, 200, 3)
    for solution in by_torch([X], y, folds(60, [100.0]), max_iter=3):
        assert not solution.converged
        assert solution.n_iter == 3
        assert solution.gap > TOLERANCE


def test_extreme_strengths():
    X, y = samples(100, 10, 3)
    problems = [Problem(np.arange(100), C) for C in (1e-37, 1e-12, 1e12)]
    weakest = by_torch([X], y, problems)
    assert weakest[0].objective == pytest.approx(100 * np.log(3), rel=1e-3)
    for problem, solution in zip(problems, weakest, strict=True):
        assert np.isfinite(solution.coef).all()
        assert solution.objective == pytest.approx(
            solve(X, y, [problem])[0].objective, rel=1e-5, abs=1e-5
        )


def test_float32_products_are_real_ones_and_the_setting_comes_back():
    X, y = samples()
    torch.set_float32_matmul_precision("high")
    try:
        assert_as_numpy(X, y, folds(150, [0.1]))
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.gpu
@pytest.mark.parametrize(("n", "d", "k"), [(3000, 300, 10), (400, 900, 3), (3000, 100, 2)])
def test_a_gpu_finds_the_same_minima(n, d, k):
    X, y = samples(n, d, k)
    problems = folds(n, [1e-3, 0.1, 1.0])
    assert_as_numpy(X, y, problems, device=torch.device("cuda"))
