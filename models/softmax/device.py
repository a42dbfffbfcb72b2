"""Where problems are solved: told by whoever asks, and on a GPU only what is large enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import scipy

from features.block import IntArray
from models.softmax.design_matrix.transformed_block import GivenBlock, IndexedBlock
from models.softmax.problem import Problem, Solution

if TYPE_CHECKING:
    import torch

    from models.softmax.solve import Stopping

Device: TypeAlias = Literal["cpu", "cuda"]

# Numbers of the rows times weight vectors from which on a GPU is asked. The problems decide, never
# the machine: whether a result may come from a GPU stands in its key. On an H100 with 16 cores
# (benchmarks.softmax_gpu) NumPy takes .9 times the GPU's time at 2**20, 1.4 at 2**24, 1.8 at 2**27,
# 5.2 at 2**29 and 12 at 2**32.
SMALLEST = 2**27
LARGEST = 2**33  # bytes of rows that it is given; their axes take as much again


def on_gpu(device: Device, blocks: Sequence[Any], vectors: int) -> bool:
    """Whether rows are solved by torch on a GPU, which takes dense ones only.

    Parameters
    ----------
    blocks : dense rows (n, d), in memory or on disk, and blocks as given; what is sparse or has
        been transformed stays with NumPy
    vectors : weight vectors of all problems
    """
    if device == "cpu":
        return False
    rows = [block.rows if isinstance(block, GivenBlock) else block for block in blocks]
    if any(
        scipy.sparse.issparse(of_block) or isinstance(of_block, IndexedBlock) for of_block in rows
    ):
        return False
    numbers = sum(of_block.shape[0] * of_block.shape[1] for of_block in rows)
    return bool(vectors * numbers >= SMALLEST and 4 * numbers <= LARGEST)


def solve_on_gpu(blocks: Sequence[Any], y: IntArray, batch: Sequence[Problem],
                 stopping: Stopping) -> list[Solution]:
    """Solutions of a batch of problems (see `models.softmax.problem.batches`).

    Raises
    ------
    RuntimeError
        Where torch sees no GPU, or its memory does not hold the rows and one problem.
    """
    from models.softmax.torch_device.batch import solve_batch

    given = [
        block if isinstance(block, GivenBlock) else GivenBlock(block, np.arange(len(block)))
        for block in blocks
    ]
    return solve_batch(given, y, batch, stopping, _gpu())


def _gpu() -> torch.device:
    import torch

    if not torch.cuda.is_available():
        raise RuntimeError(
            "device: cuda was asked for, and torch sees no CUDA device on this machine; device: "
            "cpu comes to the same solutions"
        )
    return torch.device("cuda")
