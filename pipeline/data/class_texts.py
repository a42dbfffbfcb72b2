"""What classes are called or described by: further texts of the data set, which no row has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from features.block import IntArray
from features.machine.nearest import nearest
from pipeline.data.dataset import (
    ClassTextIndex,
    Dataset,
    DatasetError,
    DistinctSamples,
    text_digest,
)
from pipeline.store.keys import key_of
from reports.wording import listed, quoted

KEY = "data.class_texts"  # what the grid calls them, for messages
Pairs = Sequence[tuple[str, str]]  # class and text


def with_class_texts(dataset: Dataset, pairs: Pairs | None) -> Dataset:
    """The data set with the texts of its classes: those given, or else the classes' names.

    They become distinct samples of the text modality, encoded like every text. Encoders that learn
    never learn from them, for no row has them.

    Raises
    ------
    DatasetError
        With every class that lacks a text, every text of an unknown class, every empty one and
        every one that several classes have.
    """
    if pairs is None:
        pairs = [(name, readable(name)) for name in dataset.classes]
    _check(pairs, dataset.classes)
    pairs = tuple(dict.fromkeys((name, text.strip()) for name, text in pairs))
    extended, positions = _extended(dataset, [text for _, text in pairs])
    codes = np.array([dataset.classes.index(name) for name, _ in pairs], dtype=np.int64)
    return replace(
        dataset,
        modalities={**dataset.modalities, "text": extended},
        class_texts=ClassTextIndex(codes, positions),
        fingerprint=key_of({"rows": dataset.fingerprint, "class texts": sorted(pairs)}),
    )


def readable(name: str) -> str:
    """A class's name as words: "face-smiling_eyes" -> "face smiling eyes"."""
    return " ".join(name.replace("_", " ").replace("-", " ").split()) or name


def _check(pairs: Pairs, classes: Sequence[str]) -> None:
    described = {name for name, _ in pairs}
    unknown = dict.fromkeys(name for name, _ in pairs if name not in classes)
    problems = [f"{KEY}: there is no class '{name}'; {nearest(name, classes)}" for name in unknown]
    problems += [
        f"{KEY}: class '{name}' has no text; give it one, or leave class_texts out to use the "
        "classes' names"
        for name in classes
        if name not in described
    ]
    problems += [
        f"{KEY}: a text of class '{name}' is empty" for name, text in pairs if not text.strip()
    ]
    problems += [
        f"{KEY}: {listed(map(quoted, names))} have the same text, {quoted(text)}: nothing tells "
        "them apart"
        for text, names in _shared(pairs).items()
    ]
    if problems:
        raise DatasetError(problems, "")


def _shared(pairs: Pairs) -> dict[str, list[str]]:
    """Texts that several classes have, and which."""
    owners: dict[str, dict[str, None]] = {}
    for name, text in pairs:
        if text.strip():
            owners.setdefault(text.strip(), {})[name] = None
    return {text: list(names) for text, names in owners.items() if len(names) > 1}


def _extended(dataset: Dataset, more: Sequence[str]) -> tuple[DistinctSamples, IntArray]:
    """The text modality with further texts, and which of its distinct samples each of them is."""
    without = DistinctSamples((), [], np.full(len(dataset), -1, dtype=np.int64))
    before = dataset.modalities.get("text", without)
    samples: Mapping[str, str] = {
        **dict(zip(before.digests, before.samples, strict=True)),
        **{text_digest(text): text for text in more},
    }
    digests = tuple(sorted(samples))
    position = {digest: i for i, digest in enumerate(digests)}
    moved = np.array([position[digest] for digest in before.digests] + [-1], dtype=np.int64)
    after = DistinctSamples(digests, [samples[digest] for digest in digests], moved[before.index])
    return after, np.array([position[text_digest(text)] for text in more], dtype=np.int64)
