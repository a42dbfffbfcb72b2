"""What a run of retrieval knows when it ends, as plain data: the only input of its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reports.fold_record import CellRecord, FailureRecord
from reports.record import MetricRecord
from reports.unreached_record import UnreachedRecord
from reports.work_record import WorkRecord

Direction: TypeAlias = Literal["text_to_image", "image_to_text"]
DIRECTIONS: tuple[Direction, ...] = ("text_to_image", "image_to_text")
CUTOFFS = (1, 5, 10)  # k of the hits that are told beside chance
Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class QueriesRecord:
    """What came of q queries of one direction on the test rows of a fold.

    Parameters
    ----------
    rows : int (q,), for each query a row of the data set that has it.
    first : int (q,), rank of the best relevant candidate, from 1.
    nearest : int (q, m), rows that have the best candidates, best first.
    values : metric name -> float (q,).
    candidates : among how many.
    chance : hits at the k of CUTOFFS of candidates in random order, by k.
    """

    rows: Integers
    first: Integers
    nearest: Integers
    values: Mapping[str, NDArray[np.float64]]
    candidates: int
    chance: Mapping[int, float]


@dataclass(frozen=True, eq=False)
class MatchRecord:
    """One cell on one outer fold; see reports.fold_record.FoldRecord for what is called as there.

    Parameters
    ----------
    scores : for each direction, metric name -> value on the test rows.
    inner_score : mean of the run's metric over the inner folds of its training rows and both
        directions, under the parameters that were chosen; None where nothing was ranked there.
    """

    cell: str
    repeat: int
    fold: int
    n_train: int
    rows: Integers
    queries: Mapping[Direction, QueriesRecord]
    scores: Mapping[Direction, Mapping[str, float]]
    parameters: Mapping[str, Any]
    fit_seconds: float
    predict_seconds: float
    reused: bool
    inner_score: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class RetrievalRecord(WorkRecord):
    """Everything that the report of a run of retrieval is made from.

    Parameters
    ----------
    samples : for each modality int (n,), which distinct sample each row of the data set has (-1:
        none): identical ones are the same answer.
    simplest : names of the cells that learned spaces are held against.
    failed_inside : names of cells that failed on inner folds, where a choice needed them there.
    median : names of the metrics whose score is the median over queries; of others it is the mean.
    others : see reports.record.ScoredRecord and RunRecord.
    """

    name: str
    created: str
    command: str
    grid: str
    metric: str
    metrics: tuple[MetricRecord, ...]
    median: frozenset[str]
    seed: int
    ids: Sequence[str]
    texts: Sequence[str | None]
    samples: Mapping[Literal["image", "text"], Integers]
    cells: tuple[CellRecord, ...]
    folds: tuple[MatchRecord, ...]
    simplest: frozenset[str] = frozenset()
    failed_inside: frozenset[str] = frozenset()
    split: str
    fingerprint: str
    versions: Mapping[str, str]
    data: Mapping[str, Any] = field(default_factory=dict)
    failures: tuple[FailureRecord, ...] = ()
    alarms: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    groups: Integers | None = None
    group_name: str | None = None
    unreached: UnreachedRecord | None = None
    thumbnail: Callable[[int], bytes | None] | None = field(default=None, repr=False)

    @property
    def size(self) -> tuple[tuple[int, str, str], ...]:
        """What was compared on what: numbers with their nouns."""
        pictures, texts = (len(np.unique(self.samples[side])) for side in ("image", "text"))
        return (
            (len(self.ids), "pair", "pairs"),
            (pictures, "picture", "pictures"),
            (texts, "text", "texts"),
        )
