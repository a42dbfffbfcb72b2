"""Softmax regressions over the scaled blocks of many training sets: what they have in common is prepared once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.block import Block
from models.kept import RECENT
from models.softmax.principal_axes import Indexed, IntArray, Matrix, Turned, turn, worthwhile_axes
from models.softmax.problem import Problem, Solution
from models.softmax.solve import solve
from models.views import BlocksFit

Probabilities = NDArray[np.float64]
AGAIN = 10  # times that a block is used: on inner folds before the outer fit, and for other cells


class Strengths(NamedTuple):
    """The strengths C to solve a training set with, and the weight of each row's loss (n,) or None."""

    C: Sequence[float]
    weights: NDArray[np.float64] | None


def solve_blocks(fits: Sequence[BlocksFit], strengths: Sequence[Strengths]) -> list[list[Solution]]:
    """Solutions of every fit under its strengths, for the columns as they are (neither centred nor scaled).

    Fits whose blocks hold the same values are solved together; each block is turned to its
    principal axes once for all fits that use it, and again only after others have taken its place
    in memory. Samples with the same row and class count as one.
    """
    classes, codes = _coded([fit.y for fit in fits])
    turned = _turned_blocks(fits, sum(len(each.C) for each in strengths) * (len(classes) - 1))
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, fit in enumerate(fits):
        groups.setdefault(tuple(id(one.block.values) for one in fit.train), []).append(number)
    found: dict[int, list[Solution]] = {}
    for numbers in groups.values():
        features = [
            _side_by_side(
                [turned[part, id(fits[number].train[part].block.values)] for number in numbers],
                [fits[number].train[part].block.index for number in numbers],
            )
            for part in range(len(fits[numbers[0]].train))
        ]
        problems, start = [], 0
        for number in numbers:
            rows = np.arange(start, start + len(fits[number].y))
            factors = [one.factor for one in fits[number].train]
            problems += [Problem(rows, C, weights=strengths[number].weights, factors=factors)
                         for C in strengths[number].C]
            start += len(rows)
        solutions = iter(
            solve(features, np.concatenate([codes[number] for number in numbers]), problems)
        )
        found |= {number: [next(solutions) for _ in strengths[number].C] for number in numbers}
    return [found[number] for number in range(len(fits))]


def predicted(fit: BlocksFit, solutions: Sequence[Solution]) -> list[Probabilities]:
    """Probabilities (m, K) of the fit's test samples under each solution, over the classes of its training rows."""
    coefs = np.concatenate([solution.coef for solution in solutions])
    products, start = np.zeros((len(fit.test[0]), len(coefs)), np.float32), 0
    for block in fit.test:
        rows, index = _distinct(block)
        products += (rows @ coefs[:, start:start + block.width].T)[index]
        start += block.width
    ends = np.cumsum([len(solution.coef) for solution in solutions])[:-1]
    return [solution.odds(part, int(solution.classes[-1]) + 1)[:, solution.classes]
            for solution, part in zip(solutions, np.split(products, ends, axis=1), strict=True)]


def scaled_coefficients(fit: BlocksFit, solution: Solution) -> Solution:
    """The same solution for the scaled columns, side by side."""
    factors = np.concatenate(
        [np.full(one.block.width, one.factor, np.float32) for one in fit.train]
    )
    means = np.concatenate([np.zeros(one.block.width, np.float32) if one.mean is None else one.mean
                            for one in fit.train])
    return solution.rescaled(factors, means)


def _coded(labels: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], list[IntArray]]:
    classes, codes = np.unique(np.concatenate(labels), return_inverse=True)
    return classes, np.split(codes, np.cumsum([len(each) for each in labels])[:-1])


class _Place(NamedTuple):
    """The turned rows of a block, and where each of its values stands among them."""

    turned: Turned
    position: IntArray


def _turned_blocks(fits: Sequence[BlocksFit], columns: int) -> dict[tuple[int, int], _Place]:
    """Every distinct block of the fits, turned; by its place among a fit's blocks and the identity of its values."""
    users: dict[tuple[int, int], list[Block]] = {}
    for fit in fits:
        for part, one in enumerate(fit.train):
            users.setdefault((part, id(one.block.values)), []).append(one.block)
    return {key: _turned(blocks, columns) for key, blocks in users.items()}


def _turned(blocks: Sequence[Block], columns: int) -> _Place:
    values = blocks[0].values
    counts = np.bincount(
        np.concatenate([block.index for block in blocks]), minlength=values.shape[0]
    )
    used = np.flatnonzero(counts)
    shares = counts[used] // np.gcd.reduce(counts[used])
    position = np.zeros(len(counts), np.int64)
    position[used] = np.arange(len(used))
    return _Place(
        _kept_turned(blocks[0], used, None if shares.max() == 1 else shares, columns), position
    )


def _kept_turned(block: Block, used: IntArray, counts: IntArray | None, columns: int) -> Turned:
    """These rows of the block's values, turned to all their axes if that pays for AGAIN times so many `columns`.

    Not because others have paid: what a process did before must not decide how a solution is
    reached.
    """
    axes = worthwhile_axes(len(used), block.width, AGAIN * columns)
    if axes is not None:
        return turn(_rows(block.values, used), counts=counts, axes=axes)
    content = block.values if block.digest is None else block.digest
    return RECENT.get(
        ("turned", content, used, counts),
        lambda: turn(_rows(block.values, used), counts=counts),
        lambda turned: turned.bytes,
    )


def _rows(values: Matrix, rows: IntArray) -> Matrix:
    taken: Matrix = values[rows]
    return np.asarray(taken) if isinstance(taken, np.ndarray) else taken


def _side_by_side(places: Sequence[_Place], indices: Sequence[IntArray]) -> Indexed:
    return Indexed(
        places[0].turned,
        np.concatenate(
            [place.position[index] for place, index in zip(places, indices, strict=True)]
        ),
    )


def _distinct(block: Block) -> tuple[Matrix, IntArray]:
    used, index = np.unique(block.index, return_inverse=True)
    return _rows(block.values, used), index
