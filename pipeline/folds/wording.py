"""Folds in words, and what to know of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np

from features.block import IntArray
from pipeline.config.grid import Split
from pipeline.data.dataset import Dataset
from pipeline.folds.fold import Fold
from reports.wording import count, listed, quoted

NAMED = 5  # classes that a sentence on absent ones names


def describe(split: Split, dataset: Dataset, folds: Sequence[Fold]) -> str:
    """One sentence on how the folds were drawn."""
    grouped = f", no {dataset.group_name} in two folds" if dataset.group_name else ""
    if split.unseen_classes:
        return _describe_unseen(split, dataset, folds, grouped)
    by_class = ", stratified by class" if dataset.classes else ""
    inner = f"parameters chosen on {split.inner} inner folds of the training rows"
    if split.official:
        return f"The official split of the data; {inner}."
    if split.folds:
        times = f" drawn {split.repeats} times" if split.repeats > 1 else ""
        return f"{split.folds} outer folds{times}{by_class}{grouped}; {inner}."
    times = f"{split.repeats} hold-outs" if split.repeats > 1 else "One hold-out"
    share = np.mean([len(fold.test) / len(dataset) for fold in folds])
    return f"{times} of {share:.0%} of the rows{by_class}{grouped}; {inner}."


def _describe_unseen(split: Split, dataset: Dataset, folds: Sequence[Fold], grouped: str) -> str:
    tested = [len(np.unique(dataset.labels[fold.test])) for fold in folds]
    least, most = min(tested), max(tested)
    number, chance = f"{least}", f"{1 / least:.3g}"
    if least < most:
        number, chance = f"{least} to {most}", f"{1 / most:.3g} to {chance}"
    times = f" drawn {split.repeats} times" if split.repeats > 1 else ""
    drawn = "The official split of the data" if split.official else (
        f"{split.folds} outer folds{times}" if split.folds else f"Hold-out{times}")
    return (f"{drawn} of unseen classes{grouped}: a model learns from no row of the classes it is "
            f"asked about, and tells the {number} of its fold apart (by chance: {chance} of "
            f"balanced accuracy); parameters chosen on {split.inner} inner folds of the training "
            "classes. Rows of one class are alike, so intervals draw whole classes. An encoder "
            "trained elsewhere may have met these classes there (Xian et al. 2018).")


def remarks(dataset: Dataset, folds: Sequence[Fold], unseen_classes: bool = False) -> list[str]:
    """What to know of these folds: classes that are absent, groups that an official split parts."""
    absent = [] if unseen_classes else _absent(dataset, folds)
    return [*absent, *_split_groups(dataset, folds)]


def _split_groups(dataset: Dataset, folds: Sequence[Fold]) -> list[str]:
    """Only the official split can divide groups; the others keep them together."""
    if dataset.groups is None:
        return []
    divided = max(
        len(np.intersect1d(dataset.groups[fold.train], dataset.groups[fold.test])) for fold in folds
    )
    if not divided:
        return []
    subject = count(divided, "group has", "groups have")
    return [
        f"{subject} rows in both the training and the test part of the official split "
        f"({dataset.group_name})."
    ]


def _absent(dataset: Dataset, folds: Sequence[Fold]) -> list[str]:
    """A sentence for each part of the folds that lacks classes, those that lack most first."""
    sentences: list[str] = []
    for part in ("train", "test"):
        lacking = Counter(
            chain.from_iterable(_classes_without(dataset, getattr(fold, part)) for fold in folds)
        )
        if not lacking:
            continue
        named = [
            f"{quoted(name)} in {number} of {count(len(folds), 'fold')}"
            for name, number in lacking.most_common(NAMED)
        ]
        if len(lacking) > NAMED:
            named.append(count(len(lacking) - NAMED, "more class", "more classes"))
        rows = "training rows" if part == "train" else "test rows"
        sentences.append(f"Classes without {rows}: {listed(named)}.")
    return sentences


def _classes_without(dataset: Dataset, rows: IntArray) -> list[str]:
    """Names of the classes that none of the rows has."""
    labels = set(dataset.labels[rows].tolist())
    return [name for code, name in enumerate(dataset.classes) if code not in labels]
