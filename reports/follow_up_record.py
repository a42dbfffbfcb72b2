"""What the best cells were asked after the comparison, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reports.fold_record import FailureRecord, FoldKey, FoldRecord


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
class LabelsRecord:
    """Labels that a cell's out-of-fold probabilities speak against, the most doubtful first.

    Parameters
    ----------
    cell : whose probabilities they are; it scored `scored` rows.
    rows : int (m,), positions in the data set.
    probabilities : float (m, K), the mean over repeats.
    """

    cell: str
    scored: int
    rows: NDArray[np.int64]
    probabilities: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CurveRecord:
    """Cells fitted with a part of the labels.

    Each fold's `n_train` counts the rows that kept theirs. `share` is that part of the training
    rows, up to 1.
    """

    share: float
    folds: tuple[FoldRecord, ...]


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
    label_issues : doubtful labels; None where they were not looked for.
    failures, warnings : what failed here, and sentences on what could not be had.
    """

    probes: tuple[ProbeRecord, ...] = ()
    additive: tuple[AdditiveRecord, ...] = ()
    attention: tuple[AttentionRecord, ...] = ()
    learning_curve: tuple[CurveRecord, ...] = ()
    label_issues: LabelsRecord | None = None
    failures: tuple[FailureRecord, ...] = ()
    warnings: tuple[str, ...] = ()
