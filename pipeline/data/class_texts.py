"""What classes are called or described by, as further samples of the text modality that no row points at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.machine.nearest import nearest
from pipeline.data.dataset import Dataset, DatasetError, Described, Modal, text_digest
from pipeline.data.samples import SourceError
from pipeline.data.sources.columns import missing_columns, read_columns, texts
from pipeline.data.sources.problems import existing
from pipeline.store.keys import key_of
from reports.wording import listed, quoted

GivenTexts = str | Mapping[str, tuple[str, ...]]  # a table's path, or the texts of each class
KEY = "data.class_texts"
COLUMNS = ("class", "text")
Pairs = Sequence[tuple[str, str]]


def with_class_texts(dataset: Dataset, given: GivenTexts | None, folder: Path) -> Dataset:
    """The data set with the texts of its classes: those given, or else the classes' names.

    They become distinct samples of the text modality, encoded like every text. Encoders that learn
    never learn from them, for no row has them.

    Parameters
    ----------
    folder : what a table's path counts from.

    Raises
    ------
    DatasetError
        With every class that lacks a text, every text of an unknown class, every empty one and
        every one that several classes have.
    SourceError
        For a table that cannot be read.
    """
    pairs: Pairs
    if given is None:
        pairs = [(name, readable(name)) for name in dataset.classes]
    elif isinstance(given, str):
        pairs = _table(given, folder)
    else:
        pairs = [(name, text) for name, many in given.items() for text in many]
    _check(pairs, dataset.classes)
    pairs = tuple(dict.fromkeys((name, text.strip()) for name, text in pairs))
    view, positions = _extended(dataset, [text for _, text in pairs])
    codes = np.array([dataset.classes.index(name) for name, _ in pairs], dtype=np.int64)
    return replace(
        dataset,
        views={**dataset.views, "text": view},
        described=Described(codes, positions),
        fingerprint=key_of({"rows": dataset.fingerprint, "class texts": sorted(pairs)}),
    )


def readable(name: str) -> str:
    """A class's name as words: "face-smiling_eyes" -> "face smiling eyes"."""
    return " ".join(name.replace("_", " ").replace("-", " ").split()) or name


def _table(given: str, folder: Path) -> Pairs:
    file = existing(given, folder, KEY)
    columns = read_columns(file, COLUMNS)
    missing = missing_columns([(KEY, name) for name in COLUMNS], columns.names, file)
    if missing:
        raise SourceError(missing)
    return [
        (name or "", text or "")
        for name, text in zip(*(texts(columns, name) for name in COLUMNS), strict=True)
    ]


def _check(pairs: Pairs, classes: Sequence[str]) -> None:
    described = {name for name, _ in pairs}
    problems = [f"{KEY}: there is no class '{name}'; {nearest(name, classes)}"
                for name in dict.fromkeys(name for name, _ in pairs) if name not in classes]
    problems += [
        f"{KEY}: class '{name}' has no text; give it one, or leave class_texts out to use the classes' names"
        for name in classes
        if name not in described
    ]
    problems += [
        f"{KEY}: a text of class '{name}' is empty" for name, text in pairs if not text.strip()
    ]
    problems += [
        f"{KEY}: {listed(map(quoted, names))} have the same text, {quoted(text)}: nothing tells them apart"
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


def _extended(dataset: Dataset, more: Sequence[str]) -> tuple[Modal, NDArray[np.int64]]:
    """The text modality with further texts, and which of its distinct samples each of them is."""
    nobody = Modal((), [], np.full(len(dataset), -1, dtype=np.int64))
    view = dataset.views.get("text", nobody)
    known: Mapping[str, str] = dict(zip(view.digests, view.samples, strict=True))
    samples = {**known, **{text_digest(text): text for text in more}}
    digests = tuple(sorted(samples))
    place = {digest: position for position, digest in enumerate(digests)}
    moved = np.array([place[digest] for digest in view.digests] + [-1], dtype=np.int64)
    return (Modal(digests, [samples[digest] for digest in digests], moved[view.index]),
            np.array([place[text_digest(text)] for text in more], dtype=np.int64))
