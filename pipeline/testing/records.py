"""A small run record with fixed values, every number of which can be checked by hand."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reports.fold_record import CellRecord, FoldRecord
from reports.record import MetricRecord, RunRecord
from reports.work_record import StageRecord, StepRecord

METRICS = (
    MetricRecord("accuracy", True),
    MetricRecord("balanced_accuracy", True),
    MetricRecord("precision_macro", True),
    MetricRecord("recall_macro", True),
    MetricRecord("f1_macro", True),
    MetricRecord("log_loss", False, "nats"),
    MetricRecord("roc_auc", True),
)
IMAGE = CellRecord("cnn / image_only / logistic", "cnn", None, "image_only", "logistic")
TEXT = CellRecord("tfidf / text_only / logistic", None, "tfidf", "text_only", "logistic")
FUSION = CellRecord("cnn + tfidf / concat / logistic", "cnn", "tfidf", "concat", "logistic")
MAJORITY = CellRecord("majority", None, None, "majority", None)
# Balanced accuracy on four folds of twelve rows; the gains of FUSION over TEXT are .06 .02 .04 .08.
SMALL_SCORES = {
    IMAGE: (0.50, 0.54, 0.52, 0.56),
    TEXT: (0.60, 0.62, 0.64, 0.62),
    FUSION: (0.66, 0.64, 0.68, 0.70),
    MAJORITY: (0.25, 0.25, 0.25, 0.25),
}
_COSTS = {None: 0.0, "cnn": 6.0, "tfidf": 0.25}  # seconds to encode


def small_record(
    scores: Mapping[CellRecord, Sequence[float | None]] | None = None, **changes: Any
) -> RunRecord:
    """Three classes, twelve rows, one repeat; every number can be checked by hand.

    `scores` gives the ranking metric per cell and fold (None: the cell lacks that fold).
    """
    table = SMALL_SCORES if scores is None else scores
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    by_default: dict[str, Any] = {
        "name": "small",
        "created": "2026-01-02 03:04",
        "command": "python -m pipeline.run small.yaml",
        "grid": "name: small\nseed: 0\n",
        "metric": "balanced_accuracy",
        "metrics": METRICS,
        "seed": 0,
        "classes": ("cat", "dog", "owl"),
        "ids": [f"row-{i}" for i in range(12)],
        "texts": ["a text"] * 12,
        "labels": labels,
        "cells": tuple(table),
        "folds": tuple(_folds(table, labels, changes.get("metric", "balanced_accuracy"))),
        "steps": (StepRecord("encode and fit", 7.5), StepRecord("score", 0.5)),
        "stages": _STAGES,
        "split": "Stratified into four folds.",
        "fingerprint": "ab" * 32,
        "versions": {"numpy": "2.0.0", "python": "3.11.0"},
        "data": {"source": "table"},
        "thumbnail": small_jpeg,
    }
    return RunRecord(**{**by_default, **changes})


_STAGES = (
    StageRecord("encode cnn", 6.0, 12, 0),
    StageRecord("encode tfidf", 0.25, 4, 0),
    StageRecord("cells", 3.75, 12, 4, 2.5),
)


def _folds(
    table: Mapping[CellRecord, Sequence[float | None]], labels: NDArray[np.int64], metric: str
) -> Iterator[FoldRecord]:
    """Every cell on every fold that it has a score on; inner folds score as the fold itself."""
    n_folds = max(2, *map(len, table.values()))
    for cell, values in table.items():
        for fold, value in enumerate(values):
            if value is not None:
                made = _small_fold(cell, fold, n_folds, value, labels)
                yield replace(made, inner_score=made.scores.get(metric))


def small_jpeg(row: int) -> bytes | None:
    """A picture of one colour for each row; row 1 has none, row 2's has gone."""
    if row == 1:
        return None
    if row == 2:
        raise FileNotFoundError("No such file: 'pictures/2.png'")
    file = io.BytesIO()
    Image.new("RGB", (48, 32), ((37 * row) % 256, (91 * row) % 256, 128)).save(file, "JPEG")
    return file.getvalue()


def _small_fold(
    cell: CellRecord, fold: int, n_folds: int, value: float, labels: NDArray[np.int64]
) -> FoldRecord:
    rows = np.arange(fold, len(labels), n_folds)
    probabilities = np.full((len(rows), 3), 0.2)
    predicted = labels[rows].copy()
    predicted[0] = (predicted[0] + 1) % 3 if fold == 0 else predicted[0]
    probabilities[np.arange(len(rows)), predicted] = 0.6
    scores = {metric.name: value for metric in METRICS} | {"log_loss": 1 - value}
    parameters = {} if cell is MAJORITY else {"C": 0.1 if fold < 3 else 1.0}
    encode = _COSTS.get(cell.image, 1.0) + _COSTS.get(cell.text, 1.0)
    return FoldRecord(
        cell.name,
        0,
        fold,
        len(labels) - len(rows),
        rows,
        probabilities,
        parameters,
        scores,
        0.5,
        0.01,
        fold == 3,
        encode_seconds=encode,
        feature_bytes=1500 if cell.image else 0,
        model_bytes=None if cell is MAJORITY else 2_500_000,
    )
