"""Many training sets over the same samples.

Equal samples are one row, and rows of the same training sets one row group, so that a product with
a group serves all problems that learn from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.block import FloatArray, IntArray

GROUPS = 4  # more row groups than this for each training set would make the products thin


class RowGroup(NamedTuple):
    """Rows start..stop, all of them in the same training sets."""

    start: int
    stop: int
    sets: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Some rows, in the order in which they lie, with their weights (None for 1 each).

    Attributes
    ----------
    rows : int (m,), ascending
    group_slices : the slice of each group's rows among these, by group
    """

    rows: IntArray
    weights: FloatArray | None
    group_slices: dict[int, slice]


@dataclass(frozen=True, eq=False)
class TrainingSets:
    """All rows of some training sets, group after group.

    Attributes
    ----------
    samples : int (n,), a sample of each row
    """

    samples: IntArray
    groups: list[RowGroup]
    sets: list[TrainingSet]


def merge_equal_samples(indices: Sequence[IntArray], y: IntArray) -> tuple[IntArray, IntArray]:
    """Samples are equal that have the same rows of all blocks, and the same class.

    Without it, 6,000 samples of 100 distinct rows take 1.7 times the time (benchmarks.softmax
    --ablate "equal samples merged", with DISTINCT = 100).

    Parameters
    ----------
    indices : int (n,) of each block, the row of each sample
    y : int (n,), class codes

    Returns
    -------
    samples, row : a sample of each distinct row, and the row of every sample.
    """
    everyone = np.arange(len(y))
    if any(_is_distinct(index) for index in indices):
        return everyone, everyone
    key = np.asarray(y, np.int64)
    for index in indices:
        key = np.unique(key * (int(index.max(initial=0)) + 1) + index, return_inverse=True)[1]
    _, samples, row = np.unique(key, return_index=True, return_inverse=True)
    return samples, row


def _is_distinct(index: IntArray) -> bool:
    return int(np.bincount(index).max(initial=0)) <= 1


def training_sets(samples: IntArray, row: IntArray,
                  members: Sequence[tuple[IntArray, NDArray[np.float64] | None]]) -> TrainingSets:
    """Order the rows so that those of the same training sets lie together.

    Parameters
    ----------
    samples, row : see `merge_equal_samples`
    members : for each training set its samples and their weights
    """
    weights = [_row_weights(row[rows], len(samples), given) for rows, given in members]
    member = np.stack([of_set != 0 for of_set in weights], axis=1)
    used = np.flatnonzero(member.any(axis=1))
    signatures, kind = _distinct_rows(member[used])
    order = used[np.argsort(kind, kind="stable")]
    ends = np.cumsum(np.bincount(kind)).tolist()
    groups = [RowGroup(start, stop, tuple(np.flatnonzero(signature).tolist()))
              for start, stop, signature in zip([0, *ends], ends, signatures, strict=False)]
    return TrainingSets(
        samples[order],
        groups,
        [_training_set(of_set[order], groups, number) for number, of_set in enumerate(weights)],
    )


def _distinct_rows(member: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], IntArray]:
    """The distinct rows of (n, s) and the number of each row's among them.

    Much faster than numpy.unique over rows.
    """
    packed = np.packbits(member, axis=1)
    key = np.zeros(len(member), np.int64)
    for column in packed.T:
        key = np.unique(key * 256 + column, return_inverse=True)[1]
    _, first = np.unique(key, return_index=True)
    return member[first], key


def _row_weights(rows: IntArray, total: int, weights: NDArray[np.float64] | None) -> FloatArray:
    """Weight of each of all rows in a training set: how often, or how much of it, is in it."""
    return np.bincount(rows, weights, minlength=total).astype(np.float32)


def _training_set(
    weights: FloatArray, groups: Sequence[RowGroup], number: int
) -> TrainingSet:
    rows, slices, start = np.flatnonzero(weights), {}, 0
    for position, group in enumerate(groups):
        if number in group.sets:
            stop = start + group.stop - group.start
            slices[position] = slice(start, stop)
            start = stop
    of_rows = weights[rows]
    return TrainingSet(rows, None if (of_rows == 1).all() else of_rows, slices)
