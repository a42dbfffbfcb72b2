"""A cell of the grid, and what became of it on a fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

FoldKey: TypeAlias = tuple[int, int]  # repeat and fold


@dataclass(frozen=True)
class CellRecord:
    """One cell of the grid: what was compared.

    `name` is unique and readable; `parts` are the names of the single-modality cells whose
    predictions this one combines (late fusion). `candidates` are the tuned parameters whose values
    the grid gives, and these values: others are widened where a choice falls on their end.
    `recognised_by` is the only modality of a sample that decides its prediction, where the other
    encoder serves other ends (zero-shot: the classes' texts). `together` are the modalities with
    several encoders, and the labels of these.
    """

    name: str
    image: str | None
    text: str | None
    fusion: str
    classifier: str | None
    parts: tuple[str, ...] = ()
    candidates: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    recognised_by: Literal["image", "text"] | None = None
    together: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def encoders(self, modality: str) -> tuple[str, ...]:
        """Labels of a modality's encoders, one by one."""
        label = self.image if modality == "image" else self.text
        alone = () if label is None else (label,)
        return dict(self.together).get(modality, alone)


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
    inner_score : mean of the run's metric over the inner folds of its training rows, under the
        parameters that were chosen; None where nothing was predicted there.
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
    inner_score: float | None = None
    temperature: float | None = None
    training: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class FailureRecord:
    """A cell that failed on a fold (or everywhere: fold None)."""

    cell: str
    repeat: int | None
    fold: int | None
    error: str
    traceback: str
