"""How the figures came about: enough to judge them, and to make them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.analysis.ranking import rank_cells
from reports.analysis.standing import NOUNS
from reports.fold_record import FailureRecord
from reports.record import RunRecord
from reports.section import Section
from reports.unreached_record import UnreachedRecord
from reports.wording import SAME_CLASS, metric_label
from reports.work_record import EncodedRecord


@dataclass(frozen=True)
class MethodFacts:
    """What was done.

    Parameters
    ----------
    class_sizes : (class, rows of the data set that have it).
    repeats, folds : of the outer split; `folds` counts all of them.
    n_train, n_test : smallest and largest number of rows.
    rope : differences of at most this size do not matter.
    compared : complete cells, other than baselines, that the winner was chosen from.
    modality : what the only modality is called; None where there are two, or neither.
    data : what the source says about itself, as text.
    same_class : metrics of the rows of the same class, where there are some.
    encoded : (encoder, what it met: words it did not know, texts it cut off).
    unreached : what a time limit left out; None where all is there.
    """

    split: str
    seed: int
    metric: str
    rows: int
    class_sizes: tuple[tuple[str, int], ...]
    repeats: int
    folds: int
    n_train: tuple[int, int]
    n_test: tuple[int, int]
    rope: float
    compared: int
    modality: str | None
    fingerprint: str
    command: str
    grid: str
    data: tuple[tuple[str, str], ...]
    encoded: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    dropped: tuple[str, ...]
    failures: tuple[FailureRecord, ...]
    same_class: tuple[str, ...]
    unreached: UnreachedRecord | None


def facts(record: RunRecord) -> MethodFacts:
    """Everything the record says about how the run was made."""
    keys = {(entry.repeat, entry.fold) for entry in record.folds}
    labels, ranking = np.asarray(record.labels, dtype=np.int64), rank_cells(record)
    sizes = np.bincount(labels[labels >= 0], minlength=len(record.classes))
    return MethodFacts(
        split=record.split,
        seed=record.seed,
        metric=metric_label(record.metric),
        rows=len(record.labels),
        class_sizes=tuple(
            (name, int(size)) for name, size in zip(record.classes, sizes, strict=True)
        ),
        repeats=len({repeat for repeat, _ in keys}),
        folds=len(keys),
        n_train=_range([entry.n_train for entry in record.folds]),
        n_test=_range([len(entry.rows) for entry in record.folds]),
        rope=ranking.metric.rope,
        compared=len(ranking.ranked("image", "text", "fusion")),
        modality=None if ranking.modality is None else NOUNS[ranking.modality],
        fingerprint=record.fingerprint,
        command=record.command,
        grid=record.grid,
        data=tuple((str(key), str(value)) for key, value in record.data.items()),
        encoded=tuple((encoded.encoder, _met(encoded)) for encoded in record.encoded),
        versions=tuple((str(name), str(version)) for name, version in record.versions.items()),
        warnings=tuple(record.warnings),
        dropped=tuple(record.dropped),
        failures=tuple(record.failures),
        same_class=tuple(
            metric_label(metric.name)
            for metric in record.metrics
            if metric.name.startswith(SAME_CLASS)
        ),
        unreached=record.unreached,
    )


def _met(encoded: EncodedRecord) -> str:
    counts = ", ".join(f"{number:,.0f} {noun}" for noun, number in encoded.counts.items())
    return f"{encoded.samples:,} distinct samples: {counts}"


def _range(sizes: Sequence[int]) -> tuple[int, int]:
    return (min(sizes, default=0), max(sizes, default=0))


SECTION = Section("Method", facts)
