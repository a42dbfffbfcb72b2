"""Folds whose training rows keep a share of their labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.config.grid import Grid
from pipeline.data.dataset import Dataset
from pipeline.data.rows import Labels, Rows
from pipeline.folds.draw import stratified
from pipeline.folds.fold import Fold, with_unlabelled
from pipeline.seeds import derive


def few_labels(fold: Fold, share: float, grid: Grid, dataset: Dataset) -> Fold:
    """The fold with the labels of a share of its training rows, one of each class at least."""
    if share == 1:
        return fold
    seed = derive(grid.seed, "learning curve", fold.repeat, fold.fold)
    train = labelled_rows(fold.train, dataset.labels, share, seed)
    hidden = np.union1d(np.setdiff1d(fold.train, train), fold.outer.unlabelled)
    return with_unlabelled(
        replace(
            fold, train=train, inner=_inner(train, dataset, grid.split.inner, seed), unlabelled=()
        ),
        hidden,
        dataset.groups,
    )


def labelled_rows(train: Rows, labels: Labels, share: float, seed: int) -> Rows:
    """Rows (sorted) that keep their label: round(share * n_k), one at least, of each class k.

    n_k is the number of the class's rows. A smaller share of the same seed gives some of the rows
    that a larger one gives.
    """
    rng = np.random.default_rng(seed)
    of_classes = (train[labels[train] == code] for code in np.unique(labels[train]))
    drawn = [rng.permutation(rows)[: max(1, round(share * len(rows)))] for rows in of_classes]
    return np.sort(np.concatenate(drawn))


def _inner(train: Rows, dataset: Dataset, count: int, seed: int) -> tuple[tuple[Rows, Rows], ...]:
    """Inner folds of few rows: stratified where a class has two; none where all are one group."""
    labels, groups = (
        dataset.labels[train],
        None if dataset.groups is None else dataset.groups[train],
    )
    units = np.arange(len(train)) if groups is None else groups
    count = min(count, len(np.unique(units)))
    largest = int(np.unique(labels, return_counts=True)[1].max())
    if count < 2:
        return ()
    if largest > 1:
        return tuple((train[inside], train[outside]) for inside, outside in stratified(
            labels, groups, min(count, largest), seed, "split.inner"))
    drawn = np.array_split(np.random.default_rng(seed).permutation(np.unique(units)), count)
    return tuple((train[~np.isin(units, part)], train[np.isin(units, part)]) for part in drawn)
