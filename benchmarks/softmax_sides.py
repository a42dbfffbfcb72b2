"""The sides of benchmarks.softmax_gpu: the same fits by models.softmax, scikit-learn and torch."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn import config_context
from sklearn.linear_model import LogisticRegression

from benchmarks.scikit_grid import MAX_ITER, STRENGTHS
from benchmarks.softmax_cases import Case, features
from models.softmax.problem import Problem, Solution
from models.softmax.solve import solve

Array = NDArray[Any]
INNER = 3
BATCHED_ITERATIONS = 300  # of torch.optim.LBFGS at most


class Side(NamedTuple):
    """What was measured: seconds of all fits, how, and objectives by strength (the first ones)."""

    seconds: float
    how: str
    objectives: Sequence[float]


class Problems:
    """The fits: INNER inner folds and all strengths of every outer fold.

    Parameters
    ----------
    rows, columns, classes : of the features, whose spectrum decays
    folds : outer ones
    """

    strengths = tuple(STRENGTHS)

    def __init__(self, rows: int, columns: int, classes: int, folds: int) -> None:
        self.folds, self.fits = folds, folds * INNER * len(STRENGTHS)
        X, self.y = features(Case(rows, columns, classes, 1, ()))
        self.X = X / np.sqrt(np.square(X).sum(axis=1).mean())

    def described(self) -> str:
        """Its size in words."""
        n, d = self.X.shape
        return (
            f"{n} rows, {d} columns, {self.y.max() + 1} classes: {self.fits} fits, {self.folds} "
            f"outer folds x {INNER} inner folds x {len(STRENGTHS)} strengths"
        )

    def inner(self, number: int) -> list[Array]:
        """Training rows of the inner folds of an outer one."""
        train = np.flatnonzero(np.arange(len(self.y)) % self.folds != number)
        position = np.arange(len(train))
        return [train[position % INNER != fold] for fold in range(INNER)]

    def solved(self, device: str, number: int) -> list[Solution]:
        """The fits of an outer fold by models.softmax, those of the first inner fold first."""
        pairs = itertools.product(self.inner(number), STRENGTHS)
        problems = [Problem(rows, C) for rows, C in pairs]
        return solve(self.X, self.y, problems, device=device)  # type: ignore[arg-type]

    def seconds(self, device: str, number: int) -> float:
        """Of these fits."""
        begun = time.perf_counter()
        self.solved(device, number)
        return time.perf_counter() - begun

    def objective(self, C: float, coef: Array, intercept: Array) -> float:
        """The objective on the first inner fold, in float64."""
        rows = self.inner(0)[0]
        logits = self.X[rows].astype(np.float64) @ coef.T.astype(np.float64) + intercept
        if logits.shape[1] == 1:
            logits = np.hstack([np.zeros_like(logits), logits])
        loss = logsumexp(logits, axis=1) - logits[np.arange(len(rows)), self.y[rows]]
        return float(loss.sum() + 0.5 / C * np.square(coef, dtype=np.float64).sum())

    def objectives_of(self, solutions: Sequence[Solution]) -> list[float]:
        """Objectives by strength on the first inner fold of what `solved` gives."""
        return [
            self.objective(C, solution.coef, solution.intercept)
            for C, solution in zip(STRENGTHS, solutions, strict=False)
        ]


def smallest_objectives(problems: Problems, reached: Sequence[float]) -> list[float]:
    """The smallest objectives on the first inner fold, or what was reached if that is smaller."""
    exact = [Problem(problems.inner(0)[0], C) for C in STRENGTHS]
    solutions = solve(problems.X, problems.y, exact, tolerance=1e-9, max_iter=2000)
    return list(map(min, problems.objectives_of(solutions), reached))


def solve_side(problems: Problems, device: str, repeats: int) -> Side:
    """models.softmax: all inner folds and strengths of an outer fold together."""
    totals, solutions = [], list[Solution]()
    for _ in range(repeats):
        total = 0.0
        for number in range(problems.folds):
            begun = time.perf_counter()
            solved = problems.solved(device, number)
            total += time.perf_counter() - begun
            solutions = solutions or solved
        totals.append(total)
    spread = f"{min(totals):.3f} to {max(totals):.3f}"
    how = f"median of {repeats} ({spread}), {problems.folds} calls"
    return Side(float(np.median(totals)), how, problems.objectives_of(solutions))


def _looped(problems: Problems, most: float, fitted: Callable[[float], Any]) -> Side:
    """One fit of every strength, as many as there is time for, multiplied by all folds."""
    seconds, objectives = list[float](), list[float]()
    for C in STRENGTHS:
        begun = time.perf_counter()
        model = fitted(C)
        seconds.append(time.perf_counter() - begun)
        objectives.append(problems.objective(C, *_coefficients(model)))
        if sum(seconds) > most:
            break
    missing = len(STRENGTHS) - len(seconds)
    total = (sum(seconds) + missing * seconds[-1]) * problems.folds * INNER
    how = f"{len(seconds)} of {problems.fits} fits measured ({sum(seconds):.2f} s)"
    if missing:
        how += f", {missing} strengths taken for the last"
    return Side(total, how, objectives)


def _coefficients(model: LogisticRegression) -> tuple[Array, Array]:
    coef, intercept = model.coef_, model.intercept_
    if not isinstance(coef, np.ndarray):
        coef, intercept = coef.cpu().numpy(), intercept.cpu().numpy()
    return coef, intercept


def loop_side(problems: Problems, most: float) -> Side:
    """LogisticRegression, fit by fit."""
    rows = problems.inner(0)[0]
    X, y = problems.X[rows], problems.y[rows]
    return _looped(
        problems, most, lambda C: LogisticRegression(C=C, max_iter=MAX_ITER).fit(X, y)
    )


def array_api_side(problems: Problems, most: float) -> Side:
    """LogisticRegression on arrays of the GPU, fit by fit; needs SCIPY_ARRAY_API=1."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = problems.inner(0)[0]
    X = torch.from_numpy(problems.X[rows]).to(device)
    y = torch.from_numpy(problems.y[rows]).to(device)
    with config_context(array_api_dispatch=True):

        def fitted(C: float) -> LogisticRegression:
            model = LogisticRegression(C=C, max_iter=MAX_ITER).fit(X, y)
            float(model.coef_.sum())  # waits for the GPU
            return model

        fitted(STRENGTHS[0])
        return _looped(problems, most, fitted)


def batched_side(problems: Problems) -> Side:
    """torch.optim.LBFGS on all fits of the first outer fold as one problem, multiplied by folds."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    for _ in _batched(problems, device, 3):  # what is paid once
        pass
    begun = time.perf_counter()
    coef, intercept = _batched(problems, device, BATCHED_ITERATIONS)
    seconds = time.perf_counter() - begun
    objectives = [
        problems.objective(C, *of_fit)
        for C, *of_fit in zip(STRENGTHS, coef, intercept, strict=False)
    ]
    how = f"{problems.fits // problems.folds} of {problems.fits} fits measured ({seconds:.2f} s)"
    return Side(seconds * problems.folds, how, objectives)


def _batched(problems: Problems, device: str, iterations: int) -> Iterator[Array]:
    """Coefficients (P, K, d) and intercepts (P, K)."""
    import torch

    inner = problems.inner(0)
    X = torch.from_numpy(problems.X).to(device)
    y = torch.from_numpy(problems.y).to(device)
    n, d, K = *X.shape, int(problems.y.max()) + 1
    member = np.zeros((INNER, 1, n), np.float32)
    for of_fold, rows in zip(member, inner, strict=True):
        of_fold[:, rows] = 1.0
    members = torch.from_numpy(member).to(device)
    penalty = torch.tensor(STRENGTHS, device=device).reciprocal()[None, :, None, None]
    W = torch.zeros((INNER, len(STRENGTHS), K, d + 1), device=device, requires_grad=True)
    is_label = torch.nn.functional.one_hot(y, K).T.bool()
    optimiser = torch.optim.LBFGS(
        [W], max_iter=iterations, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> Any:
        optimiser.zero_grad()
        logits = (W[..., :-1].reshape(-1, d) @ X.T).view(INNER, len(STRENGTHS), K, n)
        logits = logits + W[..., -1:]
        losses = torch.logsumexp(logits, dim=2) - (logits * is_label).sum(dim=2)
        total = (losses * members).sum() + 0.5 * (penalty * W[..., :-1].square()).sum()
        total.backward()
        return total

    optimiser.step(closure)
    values = W.detach().flatten(0, 1).cpu().numpy()
    return iter((values[..., :-1], values[..., -1]))
