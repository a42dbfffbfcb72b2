"""The training rows that are held out to stop by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.block import BoolArray, IntArray


def split_for_stopping(
    codes: IntArray, share: float, rng: np.random.Generator, groups: NDArray[Any] | None = None
) -> tuple[IntArray, IntArray]:
    """Rows to train on and rows to stop by: a share of each class, and groups as a whole.

    None are held out of a class whose share is less than half a row, and none where groups are too
    large.

    Parameters
    ----------
    codes : (n,) classes from 0.
    share : of the rows to hold out, less than 1.
    groups : (n,) rows of one group are all trained on or all held out; no class loses its last
        group.
    """
    if groups is None:
        chosen = [
            rng.permutation(rows)[: round(share * len(rows))]
            for rows in (np.flatnonzero(codes == code) for code in np.unique(codes))
        ]
        held_out = np.isin(np.arange(len(codes)), np.concatenate(chosen))
    else:
        held_out = _held_out_groups(codes, share, rng, np.unique(groups, return_inverse=True)[1])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _held_out_groups(
    codes: IntArray, share: float, rng: np.random.Generator, groups: IntArray
) -> BoolArray:
    """Take groups in random order where that brings the classes nearer to their share."""
    sizes = np.zeros((groups.max() + 1, codes.max() + 1))
    np.add.at(sizes, (groups, codes), 1)
    totals = sizes.sum(axis=0)
    taken, counts = np.zeros(len(sizes), dtype=bool), np.zeros_like(totals)
    lacking = share * totals
    for group in rng.permutation(len(sizes)):
        after = counts + sizes[group]
        keeps_every_class = np.all((after < totals) | (sizes[group] == 0))
        if keeps_every_class and np.sum((after - lacking)**2) < np.sum((counts - lacking)**2):
            taken[group], counts = True, after
    return np.asarray(taken[groups])
