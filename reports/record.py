"""What a run knows when it ends, as plain data: the only input of the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

# A metric: labels (m,) and probabilities (m, K) -> score.
Score: TypeAlias = Callable[[NDArray[np.int64], NDArray[np.float64]], float]


@dataclass(frozen=True)
class CellRecord:
    """One cell of the grid: what was compared.

    `name` is unique and readable; `parts` are the names of the single-modality cells whose
    predictions this one combines (late fusion). `candidates` are the tuned parameters and the
    values that the inner folds choose from. `recognised_by` is the only modality of a sample that
    decides its prediction, where the other encoder serves other ends (zero-shot: the classes'
    texts).
    """

    name: str
    image: str | None
    text: str | None
    fusion: str
    classifier: str | None
    parts: tuple[str, ...] = ()
    candidates: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    recognised_by: Literal["image", "text"] | None = None


@dataclass(frozen=True, eq=False)
class FoldRecord:
    """One cell on one outer fold.

    Parameters
    ----------
    rows : int (m,), positions of the test rows in the data set.
    probabilities : float (m, K), out-of-fold, columns in the order of RunRecord.classes.
    parameters : those chosen on the inner folds.
    scores : metric name -> value on the test rows (nan where it is not defined).
    reused : whether this result came from the store.
    encode_seconds : what encoding all of the data set's distinct samples cost for it, summed over
        modalities.
    feature_bytes : size of those features in memory.
    model_bytes : size of the fitted model, encoders not counted; None where it is not known.
    temperature : what calibrates its probabilities (see reports/analysis/reliability.py), learned
        from the predictions on inner folds; None where there were none.
    training : course of a network's training on the outer training rows: "kept", the epoch whose
        weights were kept (from 1), and "fitted" and "held_out", the mean loss of each epoch; None
        for other models.
    """

    cell: str
    repeat: int
    fold: int
    n_train: int
    rows: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    parameters: Mapping[str, Any]
    scores: Mapping[str, float]
    fit_seconds: float
    predict_seconds: float
    reused: bool
    encode_seconds: float = 0.0
    feature_bytes: int = 0
    model_bytes: int | None = None
    temperature: float | None = None
    training: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class StepRecord:
    """A step of the run and its seconds on the clock; one follows the other."""

    name: str
    seconds: float


@dataclass(frozen=True)
class StageRecord:
    """Work and reuse of an encoder, a fusion or a rule.

    `seconds` is what this run's processes spent on it. They work side by side: the seconds
    of all stages may be more than the run took. `saved_seconds` is what computing the reused part
    cost when it was computed.
    """

    name: str
    seconds: float
    computed: int = 0
    reused: int = 0
    saved_seconds: float = 0.0


@dataclass(frozen=True)
class EncodedRecord:
    """What an encoder met in the distinct samples: words unknown, texts cut off, and the like.

    An encoder that learns met it once for each outer fold; `counts` are then the means.
    """

    encoder: str
    samples: int
    counts: Mapping[str, float]


@dataclass(frozen=True)
class FailureRecord:
    """A cell that failed on a fold (or everywhere: fold None)."""

    cell: str
    repeat: int | None
    fold: int | None
    error: str
    traceback: str


FoldKey = tuple[int, int]


@dataclass(frozen=True)
class ProbeRecord:
    """One cell's scores when its fitted models predict altered test rows.

    Parameters
    ----------
    change : "none"; "missing": the modalities of a share of the rows are marked missing; "swapped":
        they are exchanged among the chosen rows, so that the content is real but another item's (at
        share 1 the modality is permuted over the test rows).
    modalities : those that were altered, ("image",), ("text",) or ("image", "text"); () for "none".
    share : of the test rows, 0 to 1.
    scores : ((repeat, fold), value of the run's metric), in fold order.
    """

    cell: str
    change: Literal["none", "missing", "swapped"]
    modalities: tuple[str, ...]
    share: float
    scores: tuple[tuple[FoldKey, float], ...]


@dataclass(frozen=True)
class AdditiveRecord:
    """A fusion cell against its additive projection (EMAP).

    Both are scored on the same subsample of test rows of each fold.

    Parameters
    ----------
    rows : predictions in the subsamples of all folds together.
    score, additive : the run's metric over them, of the cell itself and of its additive projection.
    gains : ((repeat, fold), score - additive on that fold's rows), as the metric counts (not turned
        for losses).
    changed : share of rows whose most probable class the projection changes.
    """

    cell: str
    rows: int
    score: float
    additive: float
    gains: tuple[tuple[FoldKey, float], ...]
    changed: float


@dataclass(frozen=True, eq=False)
class MatchRecord:
    """What an attention model looked at in one test row.

    Parameters
    ----------
    row : position in the data set.
    probabilities : float (K,), as this model predicts them.
    alpha : float (i, t), weight of each pair of a region and a token; adds up to 1.
    tokens : the t tokens' words; None where the encoder cannot name them.
    picture : JPEG of what the regions cover; None where they cover the whole picture.
    """

    row: int
    probabilities: NDArray[np.float64]
    alpha: NDArray[np.float64]
    tokens: tuple[str, ...] | None
    picture: bytes | None


@dataclass(frozen=True, eq=False)
class AttentionRecord:
    """What the best model of its kind looked at, on the test rows of one outer fold.

    Parameters
    ----------
    matches : for a model that attends to pairs of a region and a token: some rows, right and wrong
        ones.
    rows, picture_weights : for one that weighs modalities: int (m,) rows that have both, and float
        (m,) the picture's weight in each.
    """

    cell: str
    repeat: int
    fold: int
    matches: tuple[MatchRecord, ...] = ()
    rows: NDArray[np.int64] | None = None
    picture_weights: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class CurveRecord:
    """Cells fitted with a part of the labels.

    Each fold's `n_train` counts the rows that kept theirs. `share` is that part of the training
    rows, up to 1.
    """

    share: float
    folds: tuple[FoldRecord, ...]


@dataclass(frozen=True)
class MetricRecord:
    """How to read a score column."""

    name: str
    greater_is_better: bool
    unit: Literal["share", "nats"] = "share"


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
    thumbnail : gives a small JPEG of a row's picture, None where the row has none; raises OSError
        or ValueError where it cannot be had. It is asked for the few rows that the report shows.
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
    thumbnail: Callable[[int], bytes | None] | None = field(default=None, repr=False)
    score: Score | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False, kw_only=True)
class FollowUpRecord:
    """What the best cells were asked after the comparison.

    Parameters
    ----------
    probes, additive : the second phase, on the folds of the first repeat, for the best cell of each
        fusion and the best single modalities; empty where it found nothing to look at.
    attention : what the best attention model and the best gated one looked at.
    learning_curve : the best cells with fewer labels, by rising share; empty where the grid asks
        for none.
    failures, warnings : what failed here, and sentences on what could not be had.
    """

    probes: tuple[ProbeRecord, ...] = ()
    additive: tuple[AdditiveRecord, ...] = ()
    attention: tuple[AttentionRecord, ...] = ()
    learning_curve: tuple[CurveRecord, ...] = ()
    failures: tuple[FailureRecord, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class WorkRecord:
    """What a run did, and how long it took.

    Parameters
    ----------
    steps : wall-clock seconds of the run's steps, in order.
    stages : work and reuse of each encoder, fusion and rule that learns.
    encoded : what encoders met, for those that count it.
    """

    steps: tuple[StepRecord, ...]
    stages: tuple[StageRecord, ...]
    encoded: tuple[EncodedRecord, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class RunRecord(ScoredRecord, FollowUpRecord, WorkRecord):
    """Everything the report is made from: what its three parts hold.

    Parameters
    ----------
    failures, warnings : those of the scores and of what followed them.
    alarms : sentences as the warnings are, where the verdict may be worthless for them.
    """

    alarms: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, scored: ScoredRecord, follow_up: FollowUpRecord, work: WorkRecord, remarks: Remarks
    ) -> RunRecord:
        """The record of a run from its parts and what the checks of its method say."""
        parts = vars(work) | vars(follow_up) | vars(scored)
        parts["failures"] = (*scored.failures, *follow_up.failures)
        parts["warnings"] = (*scored.warnings, *follow_up.warnings, *remarks.warnings)
        return cls(**parts, alarms=remarks.alarms)


class Remarks(NamedTuple):
    """What the checks of data and method say, one sentence each; `alarms` are the severe ones."""

    alarms: tuple[str, ...]
    warnings: tuple[str, ...]
