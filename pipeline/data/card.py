"""Plain facts about a data set, for the report: what to know before believing any score on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.block import IntArray
from features.texts.writing_systems import letters_by_system
from pipeline.data.dataset import ClassTextIndex, Dataset, DistinctSamples
from pipeline.data.samples import NOUNS
from reports.wording import count, short

SYSTEMS = 4  # writing systems that are named
MOST_TEXTS = 20  # class texts that are shown


def card(dataset: Dataset) -> dict[str, str]:
    """Rows, classes, groups, pictures, texts and duplicates, each in one line."""
    facts = {"rows": f"{len(dataset):,}"}
    if dataset.classes:
        counts = dataset.class_sizes
        facts["classes"] = (
            f"{len(dataset.classes)}, of {counts.min():,} to {count(int(counts.max()), 'row')}"
        )
    if dataset.groups is not None:
        sizes = np.unique(dataset.groups, return_counts=True)[1]
        largest = count(int(sizes.max()), "row")
        facts["groups"] = f"{len(sizes):,} ({dataset.group_name}), of up to {largest}"
    if "image" in dataset.modalities:
        facts |= _pictures(dataset)
    if "text" in dataset.modalities:
        texts = dataset.modalities["text"]
        used = np.unique(texts.index[texts.index >= 0])  # not those of classes
        facts |= _texts([texts.samples[position] for position in used])
    if dataset.class_texts is not None:
        facts["classes described by"] = _class_texts(dataset, dataset.class_texts)
    facts |= {
        f"duplicate {NOUNS[modality]}s": _duplicates(dataset, distinct)
        for modality, distinct in dataset.modalities.items()
    }
    return facts


def _class_texts(dataset: Dataset, class_texts: ClassTextIndex) -> str:
    """The first of the classes' texts."""
    texts = dataset.modalities["text"].samples
    pairs = list(zip(class_texts.classes, class_texts.positions, strict=True))
    shown = [
        f"{short(dataset.classes[code])}: {short(texts[position], 200)}"
        for code, position in pairs[:MOST_TEXTS]
    ]
    left = len(pairs) - len(shown)
    return "; ".join(shown) + (f"; and {left:,} more" if left else "")


def _pictures(dataset: Dataset) -> dict[str, str]:
    distinct = f"{len(dataset.sizes):,}"
    if not len(dataset.sizes):
        return {"distinct pictures": distinct}
    low, middle, high = (dataset.sizes[order] for order in _extremes(dataset.sizes.prod(axis=1)))
    if (dataset.sizes == dataset.sizes[0]).all():
        return {"distinct pictures": f"{distinct}; {_pixels(middle)}, all of them"}
    sizes = f"{low[0]} x {low[1]} to {_pixels(high)}, {middle[0]} x {middle[1]} in the middle"
    return {"distinct pictures": f"{distinct}; {sizes}"}


def _pixels(size: IntArray) -> str:
    return f"{size[0]} x {size[1]} pixels"


def _texts(texts: Sequence[str]) -> dict[str, str]:
    if not texts:
        return {"distinct texts": "0"}
    words = np.array([len(text.split()) for text in texts])
    low, middle, high = (int(words[order]) for order in _extremes(words))
    systems = letters_by_system(texts)
    total = systems.total()
    shares = [f"{name} {100 * letters / total:.0f} %" if letters < total else name
              for name, letters in systems.most_common(SYSTEMS) if letters >= 0.005 * total]
    lengths = f"{low:,} to {count(high, 'word')}, {middle:,} in the middle"
    return {
        "distinct texts": f"{len(texts):,}; {lengths}",
        "writing systems": ", ".join(shares) or "no letters",
    }


def _extremes(values: IntArray) -> tuple[int, int, int]:
    """Positions of the smallest, the middle and the largest value."""
    order = np.argsort(values, kind="stable")
    return int(order[0]), int(order[len(order) // 2]), int(order[-1])


def _duplicates(dataset: Dataset, distinct: DistinctSamples) -> str:
    """Rows that share their picture or text with another row, and whether their classes agree."""
    there = distinct.index >= 0
    times = np.bincount(distinct.index[there], minlength=len(distinct.digests))
    shared = np.flatnonzero(there)[times[distinct.index[there]] > 1]
    if not len(shared):
        return "none"
    pairs = np.unique(np.stack([distinct.index[shared], dataset.labels[shared]]), axis=1)[0]
    torn = np.unique(pairs, return_counts=True)
    clashing = set(torn[0][torn[1] > 1].tolist())
    rows = sum(int(distinct.index[row]) in clashing for row in shared)
    clash = f"; {rows:,} of them with one that has another class" if rows else ""
    return f"{count(len(shared), 'row shares', 'rows share')} theirs with another row{clash}"
