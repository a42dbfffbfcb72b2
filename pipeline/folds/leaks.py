"""Ways in which a data set gives its classes away, each with its evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from features.block import IntArray
from pipeline.data.dataset import Dataset
from pipeline.data.rows import Groups, Labels
from pipeline.folds.fold import Fold
from reports.analysis.checks import Check
from reports.wording import listed, quoted

REPEATED = 0.2  # share of test rows known from training from which on a run measures memory
PURE = 0.95
NAMED = 0.5
_WORD = re.compile(r"[^\W_]+")  # "tabby_cat" names the cat


def leaks(dataset: Dataset, folds: Sequence[Fold]) -> tuple[Check, ...]:
    """Every leak found, severe ones first."""
    checks = [
        *_known_samples(dataset, folds),
        *_named_classes(dataset),
        *_ignored_groups(dataset, folds),
    ]
    return tuple(sorted(checks, key=lambda check: not check.severe))


def _known_samples(dataset: Dataset, folds: Sequence[Fold]) -> Iterator[Check]:
    """Test rows whose very text or picture stands in training rows too, always with one class."""
    for modality, distinct in dataset.modalities.items():
        noun = "picture" if modality == "image" else "text"
        counts = np.array([_known(distinct.index, dataset.labels, fold) for fold in folds])
        known, pure, rows = counts.sum(axis=0)
        if known >= REPEATED * rows and pure >= PURE * known:
            yield Check(
                "known in training",
                f"The {noun} gives the class away: {known / rows:.1%} of the test rows have a "
                f"{noun} that also stands in the training rows, and {pure / known:.1%} of these "
                f"have the class it has there ({_repeated(dataset, distinct.index, noun)}). Scores "
                f"with the {noun} measure memory, not how new items are recognised: group the "
                f"folds by what the {noun}s come from (split.group).",
                severe=True,
            )


def _known(index: IntArray, labels: Labels, fold: Fold) -> tuple[int, int, int]:
    """Test rows known from training, those of them whose class leads there, and all test rows."""
    classes = int(labels.max()) + 1
    table = np.zeros((int(index.max(initial=-1)) + 1, classes), dtype=np.int64)
    train = fold.train[index[fold.train] >= 0]
    np.add.at(table, (index[train], labels[train]), 1)
    test = fold.test[index[fold.test] >= 0]
    seen = table[index[test]]
    known = seen.sum(axis=1) > 0
    return int(known.sum()), int((seen.argmax(axis=1) == labels[test])[known].sum()), len(fold.test)


def _repeated(dataset: Dataset, index: IntArray, noun: str) -> str:
    """The distinct samples in numbers, and the most frequent text as an example."""
    counts = np.bincount(index[index >= 0])
    sentence = f"{len(counts):,} distinct {noun}s in {int(counts.sum()):,} rows"
    if noun == "picture":
        return sentence
    row = int(np.flatnonzero(index == counts.argmax())[0])
    return (f"{sentence}; {quoted(str(dataset.texts[row]))} stands in {counts.max():,} rows, of "
            f"class {quoted(dataset.classes[dataset.labels[row]])}")


def _named_classes(dataset: Dataset) -> Iterator[Check]:
    """Classes whose name stands, all of its words, in most of their texts and hardly elsewhere."""
    if "text" not in dataset.modalities:
        return
    texts = dataset.modalities["text"]
    words = [frozenset(_WORD.findall(text.casefold())) for text in texts.samples]
    named = []
    for code, name in enumerate(dataset.classes):
        parts = frozenset(_WORD.findall(name.casefold()))
        if not parts:
            continue
        holds = np.array([parts <= text for text in words] + [False])[texts.index]
        mine = dataset.labels == code
        inside, outside = holds[mine].mean(), holds[~mine].mean()
        if inside >= NAMED and outside < inside / 10:
            named.append(f"{quoted(name)} ({inside:.0%} of its rows, {outside:.1%} of the others)")
    if named:
        shown = named[:5] + ([f"{len(named) - 5} more"] if named[5:] else [])
        yield Check(
            "label in the text",
            f"The text names the class: the name of {listed(shown)} stands in the texts.",
            severe=2 * len(named) >= len(dataset.classes),
        )


def _ignored_groups(dataset: Dataset, folds: Sequence[Fold]) -> Iterator[Check]:
    """Columns declared to group rows that all but decide the class, while the folds ignore them."""
    if dataset.groups is not None:
        return
    for name, codes in dataset.columns.items():
        labelled = dataset.labels >= 0
        share, groups = _explained(codes[labelled], dataset.labels[labelled])
        straddle = any(np.isin(codes[fold.test], codes[fold.train]).any() for fold in folds)
        if straddle and share >= PURE and len(dataset.classes) < groups < len(dataset) / 2:
            yield Check(
                "groups ignored",
                f"Folds are drawn at random although the column '{name}' all but decides the "
                f"class: {share:.1%} of the rows have the class that is the most frequent of their "
                f"{name} ({groups:,} of them), and each {name} has rows in training and test. Say "
                f"split.group: {name}.",
                severe=True,
            )


def _explained(codes: Groups, labels: Labels) -> tuple[float, int]:
    """Share of rows that have the most frequent class of their group, and the number of groups."""
    table = np.zeros((int(codes.max()) + 1, int(labels.max()) + 1), dtype=np.int64)
    np.add.at(table, (codes, labels), 1)
    return float(table.max(axis=1).sum() / len(labels)), len(table)
