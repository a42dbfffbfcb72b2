"""Cases of the softmax benchmarks: shapes of problems, their features and folds, and a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[Any]
FIVE = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class Case(NamedTuple):
    """Shape of a comparison; `density` 1 is dense, below that the share of words in a text."""

    n: int
    d: int
    k: int
    folds: int
    strengths: tuple[float, ...]
    density: float = 1.0
    repeats: int = 5
    exact: bool = True


def features(case: Case) -> tuple[Any, Array]:
    """Standardised columns of decaying spectrum, or words of a Zipf distribution."""
    rng = np.random.default_rng(case.n + case.d + case.k)
    y = rng.permutation(np.arange(case.n) % case.k)
    if case.density < 1:
        words = rng.zipf(1.3, size=(case.k, case.d)).clip(max=30) ** -1.0
        rates = words * case.density * case.d / words.sum(axis=1, keepdims=True)
        counts = [sparse.csr_matrix(rng.poisson(rates[label]), dtype=np.float32) for label in y]
        return sparse.vstack(counts, format="csr"), y
    rank = min(case.d, 200)
    centres = rng.normal(size=(case.k, rank)) * 0.25
    spread = np.arange(1, rank + 1) ** -0.5
    latent = (rng.normal(size=(case.n, rank)) + centres[y]) * spread
    X = latent @ rng.normal(size=(rank, case.d)) + rng.normal(size=(case.n, case.d)) * 0.2
    X = np.maximum(X, 0)
    return ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32), y


def splits(case: Case) -> list[tuple[Array, Array]]:
    """Training and test rows: folds, or for a single problem all rows but a fifth."""
    fold = np.arange(case.n) % max(case.folds, 5)
    return [
        (np.flatnonzero(fold != number), np.flatnonzero(fold == number))
        for number in range(case.folds)
    ]


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Seconds of the processor, which other work on the machine does not add to, and result."""
    start = time.process_time()
    result = function(*arguments)
    return time.process_time() - start, result
