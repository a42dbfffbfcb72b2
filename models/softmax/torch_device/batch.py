"""A batch of problems on the device, in portions that fit into its memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from features.block import IntArray
from models.softmax.design_matrix.training_sets import (
    TrainingSets,
    merge_equal_samples,
    training_sets,
)
from models.softmax.design_matrix.transformed_block import GivenBlock
from models.softmax.lbfgs import MEMORY
from models.softmax.problem import Problem, Solution, distinct_codes, training_set_numbers
from models.softmax.torch_device.axes import DeviceBlock, transformed
from models.softmax.torch_device.design import DesignMatrix
from models.softmax.torch_device.hessian import LARGEST_BLOCK, Penalties
from models.softmax.torch_device.lbfgs import BatchedLBFGS, Ended, Start
from models.softmax.torch_device.losses import Rows

if TYPE_CHECKING:
    from models.softmax.solve import Stopping


# Bytes that the problems of a portion take, where the device has as many: a number of its own, so
# that who else computes there decides no solution.
AT_ONCE, SHARE_OF_FREE = 2**32, 0.7
# Arrays as large as the logits, and as the weights, of a problem; as the dense block of its Hessian
OF_LOGITS, OF_WEIGHTS, OF_BLOCK = 10, 3 * MEMORY + 10, 6
# Problems share all rows: where these are so many times the rows that a problem learns from, its
# training set is solved by itself.
LONGEST = 3


class _Batch(NamedTuple):
    """The problems of a batch on the device.

    Attributes
    ----------
    problems, numbers : the problems, and the number of each's training set
    classes : int (K,), codes of the classes
    codes : (n,) on the device, class 0..K-1 of each row
    weights : float32 (s, n), of each row in each training set
    present : bool (s, K), the classes among each training set's rows
    """

    problems: Sequence[Problem]
    numbers: IntArray
    classes: IntArray
    codes: Tensor
    weights: Tensor
    present: NDArray[np.bool_]
    blocks: Sequence[DeviceBlock]
    design: DesignMatrix


def solve_batch(blocks: Sequence[GivenBlock], y: IntArray, problems: Sequence[Problem],
                stopping: Stopping, device: torch.device) -> list[Solution]:
    """Solutions of problems of the same scale, whose training sets have much in common.

    Raises
    ------
    torch.OutOfMemoryError
        Where the rows, or a single problem, do not fit into the device's memory.
    """
    numbers = np.array(training_set_numbers(problems))
    with torch.inference_mode(), _full_precision():
        members = [problems[int(np.argmax(numbers == number))] for number in np.unique(numbers)]
        union = distinct_codes(np.concatenate([problem.rows for problem in members]))
        if LONGEST * sum(len(problem.rows) for problem in members) < len(union) * len(members):
            return _solved_apart(blocks, y, problems, stopping, device)
        batch = _on_device(blocks, y, (problems, numbers, members, union), device)
        solutions: dict[int, Solution] = {}
        for portion in _portions(batch):
            solutions.update(_in_parts(
                portion, lambda positions: _solved(batch, positions, stopping)))
    return [solutions[position] for position in range(len(problems))]


@contextmanager
def _full_precision() -> Iterator[None]:
    """Real float32 products, whose factors are otherwise rounded to 10 bits where TF32 is on."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _solved_apart(blocks: Sequence[GivenBlock], y: IntArray, problems: Sequence[Problem],
                  stopping: Stopping, device: torch.device) -> list[Solution]:
    """Solve each training set by itself."""
    numbers = np.array(training_set_numbers(problems))
    solutions: dict[int, Solution] = {}
    for number in np.unique(numbers):
        positions = np.flatnonzero(numbers == number).tolist()
        part = [problems[position] for position in positions]
        solutions.update(
            zip(positions, solve_batch(blocks, y, part, stopping, device), strict=True)
        )
    return [solutions[position] for position in range(len(problems))]


def _on_device(
    blocks: Sequence[GivenBlock],
    y: IntArray,
    asked: tuple[Sequence[Problem], IntArray, Sequence[Problem], IntArray],
    device: torch.device,
) -> _Batch:
    problems, numbers, members, union = asked
    used = [_used(block, union) for block in blocks]
    samples, row = merge_equal_samples([block.index for block in used], y[union])
    sets = training_sets(samples, row, [
        (np.searchsorted(union, problem.rows), problem.weights) for problem in members])
    codes = y[union][sets.samples]
    classes = distinct_codes(codes)
    codes = np.searchsorted(classes, codes)
    vectors = len(problems) * (len(classes) - 1)
    on_device = _transformed(used, problems[0].scale, vectors, device)
    design = DesignMatrix([
        (block, torch.from_numpy(of_rows.index[sets.samples]).to(device))
        for block, of_rows in zip(on_device, used, strict=True)])
    weights = _weights(sets, len(design.X))
    present = np.stack([np.bincount(codes[members.rows], minlength=len(classes)) > 0
                        for members in sets.sets])
    padded = np.pad(codes, (0, len(design.X) - len(codes)))
    return _Batch(problems, numbers, classes, torch.from_numpy(padded).to(device),
                  torch.from_numpy(weights).to(device), present, on_device, design)


def _used(block: GivenBlock, union: IntArray) -> GivenBlock:
    """The block for the samples of `union`."""
    if block.content is None and len(block.index) == len(block.rows) > len(union):
        return GivenBlock(block.rows[block.index[union]], np.arange(len(union)))
    return GivenBlock(block.rows, block.index[union], block.counts, block.content, block.uses)


def _transformed(blocks: Sequence[GivenBlock], scale: NDArray[np.float64] | None, vectors: int,
                 device: torch.device) -> list[DeviceBlock]:
    widths = [block.rows.shape[1] for block in blocks]
    scales = [None] * len(blocks) if scale is None else np.split(scale, np.cumsum(widths)[:-1])
    return [
        transformed(block, of_block, vectors, device)
        for block, of_block in zip(blocks, scales, strict=True)
    ]


def _weights(sets: TrainingSets, n: int) -> NDArray[np.float32]:
    """Weight (s, n) of each row in each training set."""
    weights = np.zeros((len(sets.sets), n), np.float32)
    for of_set, members in zip(weights, sets.sets, strict=True):
        of_set[members.rows] = 1.0 if members.weights is None else members.weights
    return weights


def _portions(batch: _Batch) -> Iterator[list[int]]:
    """Positions of problems that fit into memory together."""
    K, (n, width) = len(batch.classes), batch.design.X.shape
    size = 4 * (K * (OF_LOGITS * n + OF_WEIGHTS * width) + OF_BLOCK * LARGEST_BLOCK**2)
    room = AT_ONCE
    if batch.design.X.is_cuda:
        room = min(room, int(SHARE_OF_FREE * torch.cuda.mem_get_info(batch.design.X.device)[0]))
    count, problems = max(1, room // size), len(batch.problems)
    parts = -(-problems // count)
    for part in range(parts):
        yield list(range(problems * part // parts, problems * (part + 1) // parts))


def _in_parts(
    positions: list[int], solve: Callable[[list[int]], dict[int, Solution]]
) -> dict[int, Solution]:
    """Solutions of the problems; where memory does not suffice, of one half after the other."""
    try:
        return solve(positions)
    except torch.OutOfMemoryError:
        if len(positions) == 1:
            raise
    # behind the handler, whose traceback would hold what was in memory
    torch.cuda.empty_cache()
    half = len(positions) // 2
    return _in_parts(positions[:half], solve) | _in_parts(positions[half:], solve)


def _solved(batch: _Batch, positions: list[int], stopping: Stopping) -> dict[int, Solution]:
    device = batch.design.X.device
    sets = batch.numbers[positions]
    present = batch.present[sets]
    start = Start(
        Rows(batch.codes, batch.weights[torch.from_numpy(sets).to(device)], len(batch.classes)),
        torch.from_numpy(present).to(device),
        _penalties(batch, positions, present),
    )
    solutions: dict[int, Solution] = {}
    for ended in BatchedLBFGS(batch.design, start).minimise(*stopping):
        solved = _solutions(batch, ended, present[ended.positions], stopping.tolerance)
        solutions.update(zip([positions[i] for i in ended.positions], solved, strict=True))
    return solutions


def _penalties(
    batch: _Batch, positions: Sequence[int], present: NDArray[np.bool_]
) -> Penalties:
    """Of two classes the one vector w stands for -w/2 and w/2, whose squares are half as large."""
    problems = [batch.problems[position] for position in positions]
    doubled = np.where(present.sum(axis=1) == 2, 2.0, 1.0)
    strengths = doubled / np.array([problem.C for problem in problems])
    shape = (len(problems), 1, batch.design.width)
    of_columns = np.repeat(strengths.astype(np.float32), shape[2]).reshape(shape)
    of_columns[:, :, batch.design.intercept] = 0.0
    factors = np.ones(shape, np.float32)
    for of_problem, problem in zip(factors, problems, strict=True):
        for columns, factor in zip(batch.design.columns, problem.factors or (), strict=False):
            of_problem[:, columns] = factor
    device = batch.design.X.device
    return Penalties(torch.from_numpy(of_columns).to(device), torch.from_numpy(factors).to(device))


def _solutions(
    batch: _Batch, ended: Ended, present: NDArray[np.bool_], tolerance: float
) -> Iterator[Solution]:
    """Solutions for the columns as they were given."""
    e, K, width = ended.W.shape
    weights = ended.W.reshape(-1, width)
    parts = [
        block.to_original(weights[:, columns])
        for block, columns in zip(batch.blocks, batch.design.columns, strict=True)
    ]
    intercepts = weights[:, batch.design.intercept].double()
    for _, share in parts:
        intercepts = intercepts + share
    coefs = torch.cat([coef for coef, _ in parts], dim=1).view(e, K, -1).cpu().numpy()
    intercept = intercepts.view(e, K).cpu().numpy()
    for number, classes in enumerate(map(np.flatnonzero, present)):
        coef, of_classes = coefs[number, classes], intercept[number, classes]
        if len(classes) == 2:
            coef, of_classes = coef[1:] - coef[:1], of_classes[1:] - of_classes[:1]
        gap = float(ended.gap[number])
        yield Solution(batch.classes[classes], coef, of_classes, float(ended.objective[number]),
                       ended.n_iter, gap, gap <= tolerance)
