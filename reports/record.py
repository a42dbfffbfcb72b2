"""What a run knows when it ends, as plain data: the only input of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reports.fold_record import CellRecord, FailureRecord, FoldRecord
from reports.follow_up_record import FollowUpRecord
from reports.unreached_record import UnreachedRecord
from reports.work_record import WorkRecord

# A metric: labels (m,) and probabilities (m, K) -> score.
Score: TypeAlias = Callable[[NDArray[np.int64], NDArray[np.float64]], float]


@dataclass(frozen=True)
class MetricRecord:
    """How to read a score column; differences of at most `rope` do not matter in practice."""

    name: str
    greater_is_better: bool
    unit: Literal["share", "nats", "rank"] = "share"
    rope: float = 0.01

    def on_scale(self, value: float | None) -> float | None:
        """The end of a score's interval, no further than the metric goes.

        Shares go from 0 to 1, ranks from 1, losses from 0.
        """
        if value is None:
            return None
        least, most = {"share": (0.0, 1.0), "rank": (1.0, inf), "nats": (0.0, inf)}[self.unit]
        return min(most, max(least, value))


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoredRecord:
    """What is known of a run when all its cells are scored. Labels are codes into `classes`.

    Parameters
    ----------
    metric : the metric cells are ranked and parameters are chosen by; `metrics` describes every
        column.
    ids, texts : (n,) one entry per row of the data set (text None where missing).
    labels : int (n,), codes into `classes`; -1 for rows without a label, which are never scored.
    folds : every FoldRecord; the same (repeat, fold) has the same test rows for every cell.
    grid : the filled-in grid as YAML text; `command` reproduces the run.
    versions : package -> version; `fingerprint` is the data's sha256.
    split : one sentence that describes how folds were drawn.
    failures : cells that failed, with the folds on which they did.
    warnings : sentences about the data and the method that a reader must know.
    dropped : one sentence for each row left out.
    groups : int (n,), codes of the groups that never straddle folds (None: there are none);
        `group_name` is the column they come from.
    unseen_classes : whether folds hold out whole classes; these are the groups then.
    breakdown : column -> values (n,) by which accuracy is broken down; None where a row has none.
    thumbnail : gives a small JPEG of a row's picture, None where the row has none; raises OSError
        or ValueError where it cannot be had. It is asked for the few rows that the report shows;
        None itself where no row has a picture.
    unreached : what a time limit left out; None where all is there.
    score : `metric` as a function of labels (m,) and probabilities (m, K), to score resamples by.
    """

    name: str
    created: str
    command: str
    grid: str
    metric: str
    metrics: tuple[MetricRecord, ...]
    seed: int
    classes: tuple[str, ...]
    ids: Sequence[str]
    texts: Sequence[str | None]
    labels: NDArray[np.int64]
    cells: tuple[CellRecord, ...]
    folds: tuple[FoldRecord, ...]
    split: str
    fingerprint: str
    versions: Mapping[str, str]
    data: Mapping[str, Any] = field(default_factory=dict)
    failures: tuple[FailureRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    groups: NDArray[np.int64] | None = None
    group_name: str | None = None
    unseen_classes: bool = False
    breakdown: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    unreached: UnreachedRecord | None = None
    thumbnail: Callable[[int], bytes | None] | None = field(default=None, repr=False)
    score: Score | None = field(default=None, repr=False)

    @property
    def has_pictures(self) -> bool:
        """Whether rows have pictures that can be shown."""
        return self.thumbnail is not None

    @property
    def has_texts(self) -> bool:
        """Whether any row has a text."""
        return any(text is not None for text in self.texts)

    @property
    def size(self) -> tuple[tuple[int, str, str], ...]:
        """What was compared on what: numbers with their nouns."""
        return (len(self.labels), "row", "rows"), (len(self.classes), "class", "classes")


@dataclass(frozen=True, eq=False, kw_only=True)
class RunRecord(ScoredRecord, FollowUpRecord, WorkRecord):
    """Everything the report is made from: what its three parts hold.

    Parameters
    ----------
    failures, warnings : those of the scores and of what followed them.
    alarms : sentences as the warnings are, where the verdict may be worthless for them.
    doubts : those of the warnings that change what one should conclude, in plain words.
    """

    alarms: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, scored: ScoredRecord, follow_up: FollowUpRecord, work: WorkRecord, remarks: Remarks
    ) -> RunRecord:
        """The record of a run from its parts and what the checks of its method say."""
        parts = vars(work) | vars(follow_up) | vars(scored)
        parts["failures"] = (*scored.failures, *follow_up.failures)
        parts["warnings"] = (*scored.warnings, *follow_up.warnings, *remarks.warnings)
        return cls(**parts, alarms=remarks.alarms, doubts=remarks.doubts)


class Remarks(NamedTuple):
    """What the checks of data and method say, one sentence each.

    `alarms` are the severe ones, `warnings` all others, `doubts` those of them that change what one
    should conclude, in plain words.
    """

    alarms: tuple[str, ...]
    warnings: tuple[str, ...]
    doubts: tuple[str, ...]
