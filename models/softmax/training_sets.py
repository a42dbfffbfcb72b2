"""Many training sets over the same samples: equal samples are one row, and rows of the same sets one piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]
PIECES = 4  # more pieces than this for each training set would make the products thin


class Piece(NamedTuple):
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
    places : the slice of each piece's rows among these, by piece
    """

    rows: IntArray
    weights: FloatArray | None
    places: dict[int, slice]


@dataclass(frozen=True, eq=False)
class TrainingSets:
    """All rows of some training sets, piece after piece.

    Attributes
    ----------
    samples : int (n,), one sample of each row
    """

    samples: IntArray
    pieces: list[Piece]
    sets: list[TrainingSet]


def merged(indices: Sequence[IntArray], y: IntArray) -> tuple[IntArray, IntArray]:
    """Samples that are equal: they have the same rows of all blocks, and the same class.

    Returns
    -------
    samples, row : one sample of each distinct row, and the row of every sample.
    """
    everyone = np.arange(len(y))
    if any(_distinct(index) for index in indices):
        return everyone, everyone
    key = np.asarray(y, np.int64)
    for index in indices:
        key = np.unique(key * (int(index.max(initial=0)) + 1) + index, return_inverse=True)[1]
    _, samples, row = np.unique(key, return_index=True, return_inverse=True)
    return samples, row


def _distinct(index: IntArray) -> bool:
    return int(np.bincount(index).max(initial=0)) <= 1


def training_sets(samples: IntArray, row: IntArray,
                  wanted: Sequence[tuple[IntArray, NDArray[np.float64] | None]]) -> TrainingSets:
    """Order the rows so that those of the same training sets lie together.

    Parameters
    ----------
    samples, row : see `merged`
    wanted : for each training set its samples and their weights
    """
    counted = [_counted(row[rows], len(samples), weights) for rows, weights in wanted]
    member = np.stack([weights != 0 for weights in counted], axis=1)
    used = np.flatnonzero(member.any(axis=1))
    signatures, kind = _kinds(member[used])
    order = used[np.argsort(kind, kind="stable")]
    ends = np.cumsum(np.bincount(kind)).tolist()
    pieces = [Piece(start, stop, tuple(np.flatnonzero(signature).tolist()))
              for start, stop, signature in zip([0, *ends], ends, signatures, strict=False)]
    return TrainingSets(
        samples[order],
        pieces,
        [_training_set(each[order], pieces, number) for number, each in enumerate(counted)],
    )


def _kinds(member: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], IntArray]:
    """The distinct rows of (n, s) and the number of each row's among them; much faster than by whole rows."""
    packed = np.packbits(member, axis=1)
    key = np.zeros(len(member), np.int64)
    for column in packed.T:
        key = np.unique(key * 256 + column, return_inverse=True)[1]
    _, first = np.unique(key, return_index=True)
    return member[first], key


def _counted(rows: IntArray, total: int, weights: NDArray[np.float64] | None) -> FloatArray:
    """Weight of each of all rows in one training set: how often, or how much of it, is in it."""
    return np.bincount(rows, weights, minlength=total).astype(np.float32)


def _training_set(weights: FloatArray, pieces: Sequence[Piece], number: int) -> TrainingSet:
    rows, places, start = np.flatnonzero(weights), {}, 0
    for position, piece in enumerate(pieces):
        if number in piece.sets:
            stop = start + piece.stop - piece.start
            places[position] = slice(start, stop)
            start = stop
    own = weights[rows]
    return TrainingSet(rows, None if (own == 1).all() else own, places)
