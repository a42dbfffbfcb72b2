"""What rows and folds alone say against a run: known, and told, before the first fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from features.block import Modality
from pipeline.data.dataset import Dataset
from pipeline.data.near_duplicates import Pairs
from pipeline.folds.fold import Fold
from pipeline.folds.leaks import leaks
from pipeline.folds.wording import remarks
from reports.analysis.checks import Check, severe_first
from reports.wording import count, first_listed, quoted

SMALL_CLASS = 10
UNEVEN_FOLDS = 1.5
SHOWN = 5


def checks_of_folds(
    dataset: Dataset,
    folds: Sequence[Fold],
    unseen_classes: bool,
    near: Mapping[Modality, Pairs] | None = None,
) -> tuple[Check, ...]:
    """Every doubt that rows and folds raise, severe ones first; `near` as for `leaks`."""
    doubts = [
        *leaks(dataset, folds, near),
        *(Check("rows", note) for note in dataset.notes),
        *(Check("folds", remark) for remark in remarks(dataset, folds, unseen_classes)),
        *_known_pictures(dataset, folds),
        *_small_classes(dataset),
        *_fold_sizes(dataset, folds, unseen_classes),
        *([] if unseen_classes else _unlearned(dataset, folds)),
    ]
    return severe_first(doubts)


def _known_pictures(dataset: Dataset, folds: Sequence[Fold]) -> Iterator[Check]:
    """Pairs without classes whose picture was learned with another text: found again, not found."""
    if dataset.classes:
        return
    index = dataset.modalities["image"].index
    worst = max(int(np.isin(index[fold.test], index[fold.train]).sum()) for fold in folds)
    if worst:
        yield Check(
            "known in training",
            "Pictures straddle folds: in the worst fold "
            f"{count(worst, 'test pair has', 'test pairs have')} a picture that stands in the "
            "training pairs with another text, so that remembering it counts as finding it. Keep "
            "the texts of a picture in one fold with this line of the grid: split: {group: image}",
            severe=True,
        )


def _unlearned(dataset: Dataset, folds: Sequence[Fold]) -> Iterator[Check]:
    """Folds of which nothing can be predicted rightly: no class tested is one that is learned."""
    if not dataset.classes:
        return
    labels = dataset.labels
    hopeless = [
        fold for fold in folds if not np.isin(labels[fold.test], labels[fold.train]).any()
    ]
    if hopeless:
        yield Check(
            "classes not learned",
            f"No test row of {count(len(hopeless), 'fold')} of {len(folds)} is of a class that the "
            "training rows have, so that no prediction can be right. To recognise classes by their "
            "texts, say split: {unseen_classes: true}",
            severe=True,
        )


def _small_classes(dataset: Dataset) -> Iterator[Check]:
    if not dataset.classes:
        return
    small = [
        f"{quoted(name)} ({number})"
        for name, number in zip(dataset.classes, dataset.class_sizes, strict=True)
        if number < SMALL_CLASS
    ]
    if small:
        yield Check(
            "small classes",
            f"{count(len(small), 'class has', 'classes have')} fewer than {SMALL_CLASS} rows, "
            f"too few to say how well such rows are found: {first_listed(small, SHOWN)}.",
        )


def _fold_sizes(
    dataset: Dataset, folds: Sequence[Fold], unseen_classes: bool
) -> Iterator[Check]:
    least, most = (choose(len(fold.test) for fold in folds) for choose in (min, max))
    if most > UNEVEN_FOLDS * least:
        yield Check(
            "fold sizes",
            f"Folds are uneven: they test {least} to {most} rows, as large groups make them. "
            "Means over folds weigh rows of small folds more.",
        )
    tested = [len(np.unique(dataset.labels[fold.test])) for fold in folds]
    classes = max(tested) if unseen_classes else len(dataset.classes)
    if least < 2 * classes:
        yield Check(
            "fold sizes",
            f"A fold tests as few as {count(least, 'row')} of {classes} classes: "
            "scores of single folds are rough.",
        )
