"""Softmax regressions over the scaled blocks of many training sets, which share preparation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.block import Block, FloatArray, IntArray, reading_order
from models.kept import RECENT
from models.softmax.design_matrix.mapped import is_large, tiles, transform_mapped
from models.softmax.design_matrix.principal_axes import axes_to_find, transform
from models.softmax.design_matrix.transformed_block import (
    GivenBlock,
    IndexedBlock,
    Matrix,
    Part,
    TransformedBlock,
    split_columns,
)
from models.softmax.device import Device, on_gpu
from models.softmax.problem import Problem, Solution
from models.softmax.solve import solve
from models.views import BlocksFit

Probabilities = NDArray[np.float64]
USES = 10  # times that a block is used: on inner folds before the outer fit, and for other cells


class Strengths(NamedTuple):
    """The strengths C to solve a training set with, and the weight of each row's loss (n,)."""

    C: Sequence[float]
    weights: NDArray[np.float64] | None


class _UsedRows(NamedTuple):
    """The rows of a block, and the position of each of its values among them.

    They are transformed, or as given, for a GPU.
    """

    rows: TransformedBlock | GivenBlock
    position: IntArray

    def of_samples(self, index: IntArray) -> IndexedBlock | GivenBlock:
        """The block of samples with these values."""
        positions = self.position[index]
        if isinstance(self.rows, GivenBlock):
            return replace(self.rows, index=positions)
        return IndexedBlock(self.rows, positions)


def solve_blocks(
    fits: Sequence[BlocksFit], strengths: Sequence[Strengths], device: Device = "cpu"
) -> list[list[Solution]]:
    """Solutions of every fit under its strengths, for columns neither centred nor scaled.

    Fits whose blocks hold the same values are solved together; each block is transformed to its
    principal axes once for all fits that use it, and again only after others have replaced it in
    memory. A block of factor 0 has no part in a fit: its coefficients are 0. What is left with a
    single block is solved once for all that ask for it, such as the ends of concat's weights for
    all texts, and the pictures alone: with the axes, which are kept too, fits of concat and of
    single modalities of the default grid take half of the time (``python -m benchmarks.kept
    grid.yaml --cells "concat|only"``). Samples with the same row and class count as a single row.
    `device` as in `solve`.
    """
    by_parts: dict[tuple[int, ...], list[int]] = {}
    for number, fit in enumerate(fits):
        by_parts.setdefault(_parts(fit), []).append(number)
    solutions: dict[int, list[Solution]] = {}
    for parts, numbers in by_parts.items():
        solved = _known_or_solved(
            [_of_parts(fits[number], parts) for number in numbers],
            [strengths[number] for number in numbers],
            device,
        )
        for number, of_fit in zip(numbers, solved, strict=True):
            solutions[number] = [_widened(solution, fits[number], parts) for solution in of_fit]
    return [solutions[number] for number in range(len(fits))]


def _parts(fit: BlocksFit) -> tuple[int, ...]:
    """Positions of the blocks that have a part in a fit; the first, where none has."""
    return tuple(part for part, scaled in enumerate(fit.train) if scaled.factor) or (0,)


def _of_parts(fit: BlocksFit, parts: tuple[int, ...]) -> BlocksFit:
    """The fit with some of its blocks only."""
    return fit._replace(
        train=tuple(fit.train[part] for part in parts), test=tuple(fit.test[part] for part in parts)
    )


def _widened(solution: Solution, fit: BlocksFit, parts: tuple[int, ...]) -> Solution:
    """A solution for some of the fit's blocks, with coefficients of 0 for the others."""
    if len(parts) == len(fit.train):
        return solution
    widths = [scaled.block.width for scaled in fit.train]
    pieces = split_columns(solution.coef, [widths[part] for part in parts])
    of_part = dict(zip(parts, pieces, strict=True))
    nothing = [np.zeros((len(solution.coef), width), np.float32) for width in widths]
    coef = np.hstack([of_part.get(part, zeros) for part, zeros in enumerate(nothing)])
    return replace(solution, coef=coef)


def _known_or_solved(
    fits: Sequence[BlocksFit], strengths: Sequence[Strengths], device: Device
) -> list[list[Solution]]:
    """What `_solved` gives; of a single block with known content it is kept.

    Other fusions and other encoders of the other modality ask for the very same.
    """
    digests = [scaled.block.digest for scaled in chain.from_iterable(fit.train for fit in fits)]
    if len(fits[0].train) > 1 or None in digests:
        return _solved(fits, strengths, device)
    decided_by: list[Any] = ["solutions of a block", device]
    codes = _coded([fit.y for fit in fits])[1]
    for fit, codes_of_fit, of_fit in zip(fits, codes, strengths, strict=True):
        (scaled,) = fit.train
        decided_by += [scaled.block.digest, scaled.block.index, scaled.factor, codes_of_fit]
        decided_by += [tuple(of_fit.C), of_fit.weights]
    return RECENT.get(
        decided_by,
        lambda: _solved(fits, strengths, device),
        lambda solved: sum(solution.coef.nbytes for solution in chain.from_iterable(solved)),
    )


def _solved(
    fits: Sequence[BlocksFit], strengths: Sequence[Strengths], device: Device
) -> list[list[Solution]]:
    """Solutions of fits of the same blocks, all of which have a part in each."""
    classes, codes = _coded([fit.y for fit in fits])
    vectors = sum(len(of_fit.C) for of_fit in strengths) * (len(classes) - 1)
    used = _used_rows(fits, vectors, device)
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, fit in enumerate(fits):
        groups.setdefault(tuple(id(scaled.block.values) for scaled in fit.train), []).append(number)
    solutions: dict[int, list[Solution]] = {}
    for numbers in groups.values():
        group = [fits[number] for number in numbers]
        problems = _problems(group, [strengths[number] for number in numbers])
        labels = np.concatenate([codes[number] for number in numbers])
        solved = iter(solve(_side_by_side(group, used), labels, problems, device=device))
        for number in numbers:
            solutions[number] = [next(solved) for _ in strengths[number].C]
    return [solutions[number] for number in range(len(fits))]


def predicted(fit: BlocksFit, solutions: Sequence[Solution]) -> list[Probabilities]:
    """Probabilities (m, K) of the fit's test samples, over the classes of its training rows."""
    coefs = np.concatenate([solution.coef for solution in solutions])
    products, start = np.zeros((len(fit.test[0]), len(coefs)), np.float32), 0
    for block in fit.test:
        products += _products(block, coefs[:, start:start + block.width])
        start += block.width
    ends = np.cumsum([len(solution.coef) for solution in solutions])[:-1]
    return [
        solution.probabilities_of(part, int(solution.classes[-1]) + 1)[:, solution.classes]
        for solution, part in zip(solutions, np.split(products, ends, axis=1), strict=True)
    ]


def scaled_coefficients(fit: BlocksFit, solution: Solution) -> Solution:
    """The same solution for the scaled columns, side by side."""
    factors = np.concatenate(
        [np.full(scaled.block.width, scaled.factor, np.float32) for scaled in fit.train]
    )
    means = np.concatenate(
        [
            np.zeros(scaled.block.width, np.float32) if scaled.mean is None else scaled.mean
            for scaled in fit.train
        ]
    )
    return solution.rescaled(factors, means)


def _coded(labels: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], list[IntArray]]:
    classes, codes = np.unique(np.concatenate(labels), return_inverse=True)
    return classes, np.split(codes, np.cumsum([len(of_fit) for of_fit in labels])[:-1])


def _problems(fits: Sequence[BlocksFit], strengths: Sequence[Strengths]) -> list[Problem]:
    """The problems of fits whose rows lie one after the other."""
    problems, start = [], 0
    for fit, (Cs, weights) in zip(fits, strengths, strict=True):
        rows = np.arange(start, start + len(fit.y))
        factors = [scaled.factor for scaled in fit.train]
        problems += [Problem(rows, C, weights=weights, factors=factors) for C in Cs]
        start += len(rows)
    return problems


def _used_rows(
    fits: Sequence[BlocksFit], vectors: int, device: Device
) -> dict[tuple[int, int], _UsedRows]:
    """Every distinct block, by its position in a fit and its values' identity.

    Transformed, unless a GPU will do that.
    """
    users: dict[tuple[int, int], list[Block]] = {}
    for fit in fits:
        for part, scaled in enumerate(fit.train):
            users.setdefault((part, id(scaled.block.values)), []).append(scaled.block)
    as_given = on_gpu(device, [blocks[0].values for blocks in users.values()], vectors)
    return {key: _rows_of(blocks, vectors, as_given) for key, blocks in users.items()}


def _rows_of(blocks: Sequence[Block], vectors: int, as_given: bool) -> _UsedRows:
    values = blocks[0].values
    counts = np.bincount(
        np.concatenate([block.index for block in blocks]), minlength=values.shape[0]
    )
    used = np.flatnonzero(counts)
    shares = counts[used] // np.gcd.reduce(counts[used])
    position = np.zeros(len(counts), np.int64)
    position[used] = np.arange(len(used))
    repeated = None if shares.max() == 1 else shares
    if as_given:
        content = (blocks[0].digest or np.asarray(values), used, repeated)
        rows = np.asarray(_rows(values, used))
        return _UsedRows(GivenBlock(rows, np.arange(len(used)), repeated, content, USES), position)
    return _UsedRows(_remembered(blocks[0], used, repeated, vectors), position)


def _remembered(
    block: Block, used: IntArray, counts: IntArray | None, vectors: int
) -> TransformedBlock:
    """These rows of the block's values, in all their axes if that pays for USES times the vectors.

    Not because others have paid: what a process did before must not decide how a solution is
    reached.
    """
    axes = axes_to_find(len(used), block.width, USES * vectors)
    if not block.is_sparse and is_large(len(used), block.width) and len(used) > block.width:
        return RECENT.get(
            ("mapped", block.digest or np.asarray(block.values), used, counts, axes),
            lambda: transform_mapped(block.values, used, counts, axes),
            lambda transformed: transformed.bytes,
        )
    if axes is not None:
        return transform(_rows(block.values, used), counts=counts, axes=axes)
    content = block.values if block.digest is None else block.digest
    return RECENT.get(
        ("transformed", content, used, counts),
        lambda: transform(_rows(block.values, used), counts=counts),
        lambda transformed: transformed.bytes,
    )


def _rows(values: Matrix, rows: IntArray) -> Matrix:
    taken: Matrix = values[rows]
    return np.asarray(taken) if isinstance(taken, np.ndarray) else taken


def _side_by_side(
    fits: Sequence[BlocksFit], used: dict[tuple[int, int], _UsedRows]
) -> list[Part]:
    """The blocks of fits that share their values, over the rows of all of them."""
    blocks: list[Part] = []
    for part in range(len(fits[0].train)):
        of_fits = [fit.train[part].block for fit in fits]
        rows = used[part, id(of_fits[0].values)]
        blocks.append(rows.of_samples(np.concatenate([block.index for block in of_fits])))
    return blocks


def _products(block: Block, coefs: FloatArray) -> FloatArray:
    """Products (n, c) of the block's samples with coefficients (c, d)."""
    used, index = np.unique(block.index, return_inverse=True)
    if block.is_sparse or not is_large(len(used), block.width):
        return np.asarray((_rows(block.values, used) @ coefs.T)[index])
    products = np.empty((len(used), len(coefs)), np.float32)
    order = reading_order(block.values, used)
    for tile in tiles(len(used), block.width):
        products[order[tile]] = _rows(block.values, used[order[tile]]) @ coefs.T
    return np.asarray(products[index])
