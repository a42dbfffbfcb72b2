"""Ways in which a data set gives its classes away, each with its evidence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import scipy

from features.block import IntArray, Modality
from pipeline.data.dataset import Dataset
from pipeline.data.near_duplicates import Pairs
from pipeline.data.rows import Groups, Labels
from pipeline.data.samples import NOUNS
from pipeline.folds.fold import Fold
from reports.analysis.checks import Check, severe_first
from reports.wording import count, first_listed, quoted, short

LIFT = 0.1  # accuracy that remembering is worth, from which on a run measures memory
ABOVE_CHANCE = 0.2  # by which known rows must be right more often than the most frequent class
PURE = 0.95
NAMED = 0.5
EXAMPLES = 3  # pairs that are named
_WORD = re.compile(r"[^\W_]+")  # "tabby_cat" names the cat


def leaks(
    dataset: Dataset, folds: Sequence[Fold], near: Mapping[Modality, Pairs] | None = None
) -> tuple[Check, ...]:
    """Every leak found, severe ones first.

    `near` are pairs of distinct samples that are nearly the same, where these were looked for.
    """
    checks = [
        *_known_samples(dataset, folds),
        *_nearly_known(dataset, folds, near or {}),
        *_named_classes(dataset),
        *_ignored_groups(dataset, folds),
    ]
    return severe_first(checks)


def _known_samples(dataset: Dataset, folds: Sequence[Fold]) -> Iterator[Check]:
    """Test rows whose very text or picture stands in training rows too: severe where it tells.

    What remembering alone is worth is the share of test rows that are known, times how much more
    often the most frequent class of their sample in training is theirs than the most frequent class
    of all would be. Known texts whose classes differ as much as those of all rows tell nothing.
    Nor do samples that are known of new items, too: Dataset.recurring.
    """
    for modality, distinct in dataset.modalities.items():
        if modality in dataset.recurring:
            continue
        noun = NOUNS[modality]
        counts = [_known(distinct.index, dataset.labels, fold) for fold in folds]
        known = sum(counts, Counter[str]())
        if not known["rows"]:
            continue
        right, by_chance = known["right"] / known["rows"], known["by chance"] / known["rows"]
        lift = known["rows"] / known["tested"] * (right - by_chance)
        if lift >= LIFT and right - by_chance >= ABOVE_CHANCE:
            yield Check(
                "known in training",
                f"The {noun} gives the class away: {known['rows'] / known['tested']:.1%} of the "
                f"test rows have a {noun} that also stands in the training rows, and {right:.1%} "
                f"of these have the class that is the most frequent with it there, where "
                f"{by_chance:.1%} would have the most frequent class of all "
                f"({_repeated(dataset, distinct.index, noun)}). Remembering alone is worth about "
                f"{lift:.2f} of accuracy; new items bring new {noun}s. Keep rows of one {noun} "
                f"in one fold with this line of the grid: split: {{group: {modality}}}",
                severe=True,
            )
        else:
            worst = max(of_fold["rows"] for of_fold in counts)
            yield Check(
                "identical across folds",
                f"Identical {noun}s straddle folds: in the worst fold "
                f"{count(worst, 'test row has', 'test rows have')} a {noun} that also stands in "
                "the training rows.",
                bears=True,
                gist=f"Some test rows have a {noun} that stands in the training rows, too ({worst} "
                "in the worst fold): scores may be too good.",
            )


def _nearly_known(
    dataset: Dataset, folds: Sequence[Fold], near: Mapping[Modality, Pairs]
) -> Iterator[Check]:
    """Test rows whose text or picture is nearly one of the training rows: severe where it tells.

    Samples that are joined by pairs count as one; rows whose very sample is known are left out, for
    another check tells of them.
    """
    for modality, pairs in near.items():
        if modality in dataset.recurring:
            continue
        index, noun = dataset.modalities[modality].index, NOUNS[modality]
        alike = _joined(index, pairs)
        nearly = [
            np.setdiff1d(_known_rows(alike, fold), _known_rows(index, fold)) for fold in folds
        ]
        worst = max(map(len, nearly))
        if not worst:
            continue
        counts = [
            _known(alike, dataset.labels, replace(fold, test=rows))
            for fold, rows in zip(folds, nearly, strict=True)
        ]
        right = sum(of_fold["right"] - of_fold["by chance"] for of_fold in counts)
        examples = _examples(dataset, _partners(alike, folds, nearly), noun)
        yield Check(
            "nearly the same across folds",
            f"Nearly the same {noun}s straddle folds: in the worst fold "
            f"{count(worst, 'test row has', 'test rows have')} a {noun} that, though not byte for "
            f"byte, also stands in the training rows, as in {examples}. Give such rows a column of "
            "their own to group by (split.group), or leave all but one of them out.",
            severe=right / sum(len(fold.test) for fold in folds) >= LIFT,
            bears=True,
            gist=f"Some test rows have a {noun} that is nearly one of the training rows ({worst} "
            "in the worst fold): scores may be too good.",
        )


def _known_rows(index: IntArray, fold: Fold) -> IntArray:
    """Test rows whose sample stands in training rows, too."""
    test = fold.test[index[fold.test] >= 0]
    return test[np.isin(index[test], index[fold.train])]


def _partners(
    alike: IntArray, folds: Sequence[Fold], nearly: Sequence[IntArray]
) -> list[tuple[int, int]]:
    """The first test rows that are nearly known, each with a training row that is like it."""
    pairs: dict[int, int] = {}
    for fold, rows in zip(folds, nearly, strict=True):
        for row in rows[:EXAMPLES].tolist():
            pairs.setdefault(row, int(fold.train[alike[fold.train] == alike[row]][0]))
    different = {frozenset(pair): pair for pair in pairs.items()}
    return list(different.values())[:EXAMPLES]


def _joined(index: IntArray, pairs: Pairs) -> IntArray:
    """The index with samples that pairs join, one with another, under one number."""
    from scipy.sparse.csgraph import connected_components

    there = index >= 0
    if not there.any():
        return index
    size = int(index.max()) + 1
    inside = pairs[(pairs < size).all(axis=1)]
    table = scipy.sparse.csr_matrix((np.ones(len(inside)), tuple(inside.T)), shape=(size, size))
    joined = index.copy()
    joined[there] = connected_components(table, directed=False)[1][index[there]]
    return joined


def _examples(dataset: Dataset, pairs: Sequence[tuple[int, int]], noun: str) -> str:
    """Pairs of rows by their ids, of texts with the texts."""
    shown = []
    for pair in pairs:
        names = [f"row {short(dataset.ids[row], 40)}" for row in pair]
        if noun == "text":
            texts = [quoted(short(str(dataset.texts[row]), 60)) for row in pair]
            names = [f"{name} ({text})" for name, text in zip(names, texts, strict=True)]
        shown.append(" and ".join(names))
    return "; ".join(shown)


def _known(index: IntArray, labels: Labels, fold: Fold) -> Counter[str]:
    """Test rows, those known from training, and of these the ones whose class leads there.

    Also those that the most frequent class of the training rows would be right on.
    """
    classes = int(labels.max()) + 1
    table = np.zeros((int(index.max(initial=-1)) + 1, classes), dtype=np.int64)
    train = fold.train[index[fold.train] >= 0]
    np.add.at(table, (index[train], labels[train]), 1)
    test = fold.test[index[fold.test] >= 0]
    seen = table[index[test]]
    known = seen.sum(axis=1) > 0
    leading = int(table.sum(axis=0).argmax())
    return Counter({
        "tested": len(fold.test),
        "rows": int(known.sum()),
        "right": int((seen.argmax(axis=1) == labels[test])[known].sum()),
        "by chance": int((labels[test][known] == leading).sum()),
    })


def _repeated(dataset: Dataset, index: IntArray, noun: str) -> str:
    """The distinct samples in numbers, and the most frequent text as an example."""
    counts = np.bincount(index[index >= 0])
    sentence = f"{count(len(counts), f'distinct {noun}')} in {count(int(counts.sum()), 'row')}"
    if noun == "picture":
        return sentence
    row = int(np.flatnonzero(index == counts.argmax())[0])
    rows = count(int(counts.max()), "row")
    return (f"{sentence}; {quoted(str(dataset.texts[row]))} stands in {rows}, of "
            f"class {quoted(dataset.classes[dataset.labels[row]])}")


def _named_classes(dataset: Dataset) -> Iterator[Check]:
    """Classes whose name stands, all of its words, in most of their texts and hardly elsewhere."""
    if "text" not in dataset.modalities:
        return
    texts = dataset.modalities["text"]
    names = [frozenset(_WORD.findall(name.casefold())) for name in dataset.classes]
    asked = frozenset().union(*names)  # no more of each text is in memory together
    nothing = frozenset[str]()
    words = [
        asked.intersection(_WORD.findall(text.casefold())) or nothing for text in texts.samples
    ]
    named = []
    for code, (name, parts) in enumerate(zip(dataset.classes, names, strict=True)):
        if not parts:
            continue
        holds = np.array([parts <= text for text in words] + [False])[texts.index]
        mine = dataset.labels == code
        inside, outside = holds[mine].mean(), holds[~mine].mean()
        if inside >= NAMED and outside < inside / 10:
            named.append(f"{quoted(name)} ({inside:.0%} of its rows, {outside:.1%} of the others)")
    if named:
        yield Check(
            "label in the text",
            f"The text names the class: the name of {first_listed(named, 5)} stands in the texts.",
            severe=2 * len(named) >= len(dataset.classes),
            bears=True,
        )


def _ignored_groups(dataset: Dataset, folds: Sequence[Fold]) -> Iterator[Check]:
    """Columns declared to group rows that all but decide the class, while the folds ignore them."""
    if dataset.groups is not None or not dataset.classes:
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
                f"{name} ({groups:,} of them), and each {name} has rows in training and test. Keep "
                f"them together with this line of the grid: split: {{group: {name}}}",
                severe=True,
            )


def _explained(codes: Groups, labels: Labels) -> tuple[float, int]:
    """Share of rows that have the most frequent class of their group, and the number of groups."""
    table = np.zeros((int(codes.max()) + 1, int(labels.max()) + 1), dtype=np.int64)
    np.add.at(table, (codes, labels), 1)
    return float(table.max(axis=1).sum() / len(labels)), len(table)
