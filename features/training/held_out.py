"""The share of the training samples that is held out to stop by."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from features.block import IntArray
from features.encoder import Targets

MOST_PARTS = 10  # the tenth part of the training rows decides when to stop


def split_for_stopping(targets: Targets, random_state: int) -> tuple[IntArray, IntArray]:
    """Rows to train on, and about a tenth to stop by: stratified, no group in both, no class in the latter only.

    Where no rows can be spared (one group, no class with two rows) all are trained on.
    """
    labels = targets.labels
    groups = np.arange(len(labels)) if targets.groups is None else targets.groups
    largest = int(np.bincount(labels).max()) if len(labels) else 0
    parts = min(MOST_PARTS, largest, len(np.unique(groups)))
    if parts < 2:
        return np.arange(len(labels)), np.zeros(0, dtype=np.int64)
    kind = StratifiedKFold if targets.groups is None else StratifiedGroupKFold
    with warnings.catch_warnings():  # small classes are put back below
        warnings.simplefilter("ignore", UserWarning)
        fitted, held_out = next(
            kind(parts, shuffle=True, random_state=random_state).split(labels, labels, groups)
        )
    lost = np.setdiff1d(labels[held_out], labels[fitted])
    held_out = held_out[~np.isin(groups[held_out], groups[np.isin(labels, lost)])]
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out
