"""What is solved on a GPU: only what was asked for, is dense, and is large enough to pay."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

from features.block import Block
from models.classifiers.logistic import Logistic
from models.early.concat import Concat
from models.fusion import Fit
from models.kept import RECENT
from models.softmax import device as choosing
from models.softmax.design_matrix.transformed_block import GivenBlock
from models.softmax.device import on_gpu
from models.softmax.problem import Problem
from models.softmax.solve import solve
from models.views import Views

LARGE = np.broadcast_to(np.float32(0), (10_000, 1664))
SMALL = np.zeros((1000, 100), np.float32)


@pytest.mark.parametrize(
    ("device", "blocks", "vectors", "expected"),
    [
        ("cpu", [LARGE], 189, False),
        ("cuda", [LARGE], 189, True),
        ("cuda", [LARGE, SMALL], 189, True),
        ("cuda", [GivenBlock(LARGE, np.arange(10_000))], 189, True),
        ("cuda", [SMALL], 189, False),
        ("cuda", [LARGE], 1, False),
        ("cuda", [LARGE, sparse.csr_matrix(SMALL)], 189, False),
        ("cuda", [np.broadcast_to(np.float32(0), (2**21, 2**11))], 189, False),
    ],
)
def test_what_pays(device, blocks, vectors, expected):
    assert on_gpu(device, blocks, vectors) is expected


def samples(n=120, d=9, k=3):
    rng = np.random.default_rng(0)
    y = np.arange(n) % k
    return (rng.normal(size=(n, d)) + rng.normal(size=(k, d))[y]).astype(np.float32), y


@pytest.fixture
def processor_as_gpu(monkeypatch, one_thread):
    """Everything dense is solved by torch, on the processor; the blocks of each call."""
    import torch

    from models.softmax.torch_device import batch

    calls, solve_batch = [], batch.solve_batch

    def recorded(blocks, *further):
        calls.append(blocks)
        return solve_batch(blocks, *further)

    monkeypatch.setattr(batch, "solve_batch", recorded)
    monkeypatch.setattr(choosing, "SMALLEST", 0)
    monkeypatch.setattr(choosing, "_gpu", lambda: torch.device("cpu"))
    return calls


def test_solve_hands_large_problems_over_in_their_order(processor_as_gpu):
    X, y = samples()
    problems = [
        Problem(np.arange(start, 120), C, scale=scale)
        for start, C, scale in [(0, 1.0, None), (9, 0.1, np.full(9, 2.0)), (3, 0.01, None)]
    ]
    solutions = solve(X, y, problems, device="cuda")
    assert len(processor_as_gpu) == 2  # a batch of each scale
    for solution, expected in zip(solutions, solve(X, y, problems), strict=True):
        assert solution.objective == pytest.approx(expected.objective, rel=1e-6)
    assert len(processor_as_gpu) == 2


def test_blocks_given_for_a_gpu_that_are_too_few_are_solved_by_numpy():
    X, y = samples(40)
    index = np.arange(120) % 40
    block = GivenBlock(X, index, np.full(40, 3))
    problem = Problem(np.arange(120), 0.1)
    solution = solve(block, y[index], [problem])[0]
    assert solution.objective == pytest.approx(
        solve(X[index], y[index], [problem])[0].objective, rel=1e-6
    )


def test_a_machine_without_a_gpu_says_so(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(choosing, "SMALLEST", 0)
    X, y = samples()
    with pytest.raises(RuntimeError, match="device: cuda was asked for, and torch sees no CUDA"):
        solve(X, y, [Problem(np.arange(120), 1.0)], device="cuda")


def test_logistic_regression_predicts_the_same(processor_as_gpu):
    X, y = samples()
    expected = Logistic(C=0.3).fit(X, y).predict_proba(X)
    predicted = Logistic(C=0.3, device="cuda").fit(X, y).predict_proba(X)
    assert len(processor_as_gpu) == 1
    assert np.abs(predicted - expected).max() < 1e-3


class RowsInAFile:
    """As features of frozen encoders lie in the store: read when they are taken."""

    def __init__(self, rows):
        self.rows, self.shape, self.dtype = rows, rows.shape, rows.dtype

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows):
        return self.rows[rows].copy()

    def reading_order(self, rows):
        return np.argsort(rows)


@pytest.mark.parametrize("held", [np.asarray, RowsInAFile])
def test_scaled_blocks_of_inner_folds_give_the_same(processor_as_gpu, held):
    """Pictures and texts, of which some are equal; folds solved together, axes found once."""
    RECENT.clear()
    X, y = samples(n=180, d=12)
    pictures = Block(held(X[:, :7]), np.arange(180), digest="pictures")
    views = Views(pictures, Block(held(X[:60, 7:]), np.arange(180) % 60, digest="texts"))
    fold = np.arange(180) // 3 % 3
    fits = [
        Fit(views.take(np.flatnonzero(fold != number)), y[fold != number],
            views.take(np.flatnonzero(fold == number)))
        for number in range(3)
    ]
    settings = [{"classifier__C": C} for C in (1.0, 30.0)]
    expected = Concat(classifier=Logistic()).predict_many(fits, settings)
    predicted = Concat(classifier=Logistic(device="cuda")).predict_many(fits, settings)
    assert np.abs(np.array(predicted) - np.array(expected)).max() < 1e-3
    (blocks,) = processor_as_gpu
    assert [len(block.rows) for block in blocks] == [180, 60]


def test_the_device_is_told_apart_in_keys():
    from pipeline.tasks.digests import model_ingredients

    assert model_ingredients(Logistic()) != model_ingredients(Logistic(device="cuda"))


def test_nothing_imports_torch_that_does_not_ask_for_a_gpu():
    code = """
import sys
import numpy as np
from models.softmax.problem import Problem
from models.softmax.solve import solve
X, y = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32), np.arange(60) % 3
solve(X, y, [Problem(np.arange(60), 1.0)])
solve(X, y, [Problem(np.arange(60), 1.0)], device="cuda")  # too small to pay
print("torch" in sys.modules)
"""
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert printed == "False\n"
