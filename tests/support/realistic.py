"""A realistic run record of any size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from pipeline.testing.records import IMAGE, MAJORITY, METRICS, small_jpeg
from reports.fold_record import CellRecord, FailureRecord, FoldRecord
from reports.record import RunRecord
from reports.work_record import StageRecord, StepRecord
from tests.support.probed import TRACEBACK

_CLASSES = (
    "Activities",
    "Animals & nature",
    "Food & drink",
    "Objects",
    "People & body",
    "Smileys",
    "Symbols",
    "Travel & places",
)
_ATTENTION = CellRecord("cnn + sbert / attention cosine", "cnn", "sbert", "attention", None)
_GRID = """name: emoji
seed: 0
data: {source: openmoji}
split: {folds: 5, repeats: 2, group: base}
image: [{encoder: cnn, model: efficientnet_lite0}]
text: [tfidf, sbert]
fusion: [image_only, text_only, concat, attention, late]
classifier: [{logistic: {C: [0.001, 0.01, 0.1, 1]}}]
metric: balanced_accuracy
"""
_STAGES = (
    StageRecord("read openmoji", 2.1),
    StageRecord("draw folds", 0.02),
    StageRecord("encode cnn", 31.4, 1200, 444, 12.0),
    StageRecord("encode tfidf", 0.9, 10, 0),
    StageRecord("encode sbert", 18.2, 1600, 0),
    StageRecord("cells", 64.5, 120, 40, 21.3),
    StageRecord("late fusion", 0.3, 40, 0),
)
_EVENTS = {
    "failures": (
        FailureRecord(_ATTENTION.name, None, None, "ValueError: sequence of 0 tokens", TRACEBACK),
    ),
    "warnings": (
        "12 identical texts lie in different folds (grouped by base emoji).",
        "The best C lies on the edge of its range (1) in 14 of 20 folds: widen the range.",
    ),
    "dropped": ("1F9FF (openmoji.svg): the picture cannot be drawn.",),
}
_SOURCE = {
    "split": "Rows of the same base emoji stay together (group: base); classes are spread evenly.",
    "fingerprint": "3b7e" * 16,
    "versions": {"python": "3.11.9", "numpy": "2.4.6", "scikit-learn": "1.9.1", "torch": "2.11.0"},
    "data": {
        "source": "openmoji 17.0.0",
        "picture": "72 x 72 px on white",
        "text": "the emoji's name",
    },
}


def realistic_record(
    n_rows: int = 600, repeats: int = 2, folds: int = 5, encoders: int = 2
) -> RunRecord:
    """Cells that see the same rows through noisier or clearer glasses, so that scores correlate."""
    rng = np.random.default_rng(0)
    labels = rng.choice(len(_CLASSES), n_rows, p=[0.06, 0.1, 0.09, 0.17, 0.22, 0.1, 0.13, 0.13])
    ease = rng.normal(0, 1, n_rows)
    noise = {name: rng.normal(0, 1, (n_rows, len(_CLASSES))) for name in ("image", "text")}
    cells = _realistic_cells(encoders)
    records: list[FoldRecord] = []
    for cell, strength in cells.items():
        seen = _Seen(cell, _logits(cell, strength, labels, ease, noise, rng), labels)
        records += _realistic_folds(seen, repeats, folds, rng)
    return RunRecord(
        name="emoji",
        created="2026-01-02 03:04",
        command="python -m pipeline.run grid.yaml",
        grid=_GRID,
        metric="balanced_accuracy",
        metrics=METRICS,
        seed=0,
        classes=_CLASSES,
        ids=[f"1F6{i:02X}" for i in range(n_rows)],
        texts=["some name"] * n_rows,
        labels=labels,
        cells=(*cells, _ATTENTION),
        folds=tuple(records),
        steps=(StepRecord("encode and fit", 60.0),),
        stages=_STAGES,
        thumbnail=small_jpeg,
        **_SOURCE,
        **_EVENTS,
    )


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a cell makes of all rows: logits (n, K)."""

    cell: CellRecord
    logits: NDArray[np.float64]
    labels: NDArray[np.int64]


def _realistic_cells(encoders: int) -> dict[CellRecord, float]:
    """Cells and how clearly they see; `encoders` text encoders."""
    texts = {"tfidf": 1.5, "sbert": 2.1, "bow": 1.45, "word2vec": 1.7}
    cells = {MAJORITY: 0.0, IMAGE: 1.7}
    for text, strength in list(texts.items())[:encoders]:
        cells[CellRecord(f"{text} / text_only / logistic", None, text, "text_only", "logistic")] = (
            strength
        )
        single = (IMAGE.name, f"{text} / text_only / logistic")
        for fusion, gain in (
            ("concat", 0.45),
            ("late mean", 0.5),
            ("attention dot", 0.3),
            ("co_training", 0.2),
        ):
            name = f"cnn + {text} / {fusion}" + (" / logistic" if fusion == "concat" else "")
            parts = single if fusion == "late mean" else ()
            cells[CellRecord(name, "cnn", text, fusion.split()[0], "logistic", parts)] = (
                strength + gain
            )
    return cells


def _logits(
    cell: CellRecord,
    strength: float,
    labels: NDArray[np.int64],
    ease: NDArray[np.float64],
    noise: Mapping[str, NDArray[np.float64]],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    if cell is MAJORITY:
        return np.tile(np.log(np.bincount(labels) / len(labels)), (len(labels), 1))
    seen = [noise[modality] for modality in ("image", "text") if getattr(cell, modality)]
    logits: NDArray[np.float64] = sum(seen) / np.sqrt(len(seen)) + rng.normal(0, 0.5, seen[0].shape)
    logits[np.arange(len(labels)), labels] += strength + 0.8 * ease
    return 1.6 * logits


def _realistic_folds(
    seen: _Seen, repeats: int, folds: int, rng: np.random.Generator
) -> Iterator[FoldRecord]:
    for repeat in range(repeats):
        shuffled = np.random.default_rng(repeat).random(len(seen.labels))
        order = np.lexsort((shuffled, seen.labels))  # stratified
        for fold in range(folds):
            yield _realistic_fold(seen, repeat, fold, order[fold::folds], rng)


def _realistic_fold(
    seen: _Seen, repeat: int, fold: int, rows: NDArray[np.int64], rng: np.random.Generator
) -> FoldRecord:
    cell, labels = seen.cell, seen.labels
    exponentials = np.exp(seen.logits[rows])
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    parameters = {} if cell is MAJORITY else {"C": float(rng.choice([0.1, 1.0], p=[0.3, 0.7]))}
    return FoldRecord(
        cell.name,
        repeat,
        fold,
        len(labels) - len(rows),
        rows,
        probabilities,
        parameters,
        _scores(labels[rows], probabilities),
        float(rng.uniform(0.2, 3)),
        0.004,
        fold == 0,
        31.4 * (cell.image is not None) + 0.9 * (cell.text is not None),
        8_400_000,
        41_000,
        inner_score=_inner_score(seen, rows),
    )


def _inner_score(seen: _Seen, rows: NDArray[np.int64]) -> float:
    """Balanced accuracy on the other rows: what a cell sees has nothing to do with training."""
    train = np.setdiff1d(np.arange(len(seen.labels)), rows)
    return float(balanced_accuracy_score(seen.labels[train], seen.logits[train].argmax(axis=1)))


def _scores(y: NDArray[np.int64], probabilities: NDArray[np.float64]) -> dict[str, float]:
    predicted, codes = probabilities.argmax(axis=1), np.arange(probabilities.shape[1])
    macro = {"average": "macro", "zero_division": 0.0}
    return {
        "accuracy": accuracy_score(y, predicted),
        "balanced_accuracy": balanced_accuracy_score(y, predicted),
        "precision_macro": precision_score(y, predicted, **macro),
        "recall_macro": recall_score(y, predicted, **macro),
        "f1_macro": f1_score(y, predicted, **macro),
        "log_loss": log_loss(y, probabilities, labels=codes),
        "roc_auc": roc_auc_score(y, probabilities, multi_class="ovr", labels=codes),
    }
