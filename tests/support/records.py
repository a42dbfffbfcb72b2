"""Run records to write reports from: a small one with fixed values, and a realistic one of any size."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from reports.record import (
    AdditiveRecord,
    CellRecord,
    FailureRecord,
    FoldRecord,
    MetricRecord,
    ProbeRecord,
    RunRecord,
    StageRecord,
    StepRecord,
)

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
_SMALL_COSTS = {None: 0.0, "cnn": 6.0, "tfidf": 0.25}  # seconds to encode
_TRACEBACK = 'Traceback (most recent call last):\n  File "attention.py", line 40, in fit\nValueError: no tokens\n'


def small_record(
    scores: Mapping[CellRecord, Sequence[float]] | None = None, **changes: Any
) -> RunRecord:
    """Three classes, twelve rows, one repeat; every number can be checked by hand.

    `scores` gives the ranking metric per cell and fold (None: the cell lacks that fold).
    """
    table = SMALL_SCORES if scores is None else scores
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    n_folds = max(2, *map(len, table.values()))
    folds = tuple(
        _small_fold(cell, fold, n_folds, value, labels)
        for cell, values in table.items()
        for fold, value in enumerate(values)
        if value is not None
    )
    plain: dict[str, Any] = {
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
        "folds": folds,
        "steps": (StepRecord("encode and fit", 7.5), StepRecord("score", 0.5)),
        "stages": (
            StageRecord("encode cnn", 6.0, 12, 0),
            StageRecord("encode tfidf", 0.25, 4, 0),
            StageRecord("cells", 3.75, 12, 4, 2.5),
        ),
        "split": "Stratified into four folds.",
        "fingerprint": "ab" * 32,
        "versions": {"numpy": "2.0.0", "python": "3.11.0"},
        "data": {"source": "table"},
        "thumbnail": small_jpeg,
    }
    return RunRecord(**{**plain, **changes})


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
    encode = _SMALL_COSTS.get(cell.image, 1.0) + _SMALL_COSTS.get(cell.text, 1.0)
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


SHARES = (0.25, 0.5, 0.75, 1.0)


def probed_record() -> RunRecord:
    """The small record with its second phase: FUSION leans on the text; one fold of altered scores each.

    Balanced accuracy of FUSION is .67 as it is, .55 without pictures, .45 without texts and .25
    without either; swapping costs 1.2 times what missing costs. TEXT and IMAGE fall to the
    majority's .25 on a straight line.
    """
    record = small_record()
    falls = {FUSION: {"image": 0.12, "text": 0.22}, TEXT: {"text": 0.37}, IMAGE: {"image": 0.28}}
    probes = []
    for cell, by_modality in falls.items():
        whole = SMALL_SCORES[cell]
        probes.append(_probe(cell, "none", (), 0.0, whole, 0.0))
        probes += [
            _probe(cell, change, (modality,), share, whole, fall * share * more)
            for modality, fall in by_modality.items()
            for change, more in (("missing", 1.0), ("swapped", 1.2))
            for share in SHARES
        ]
    probes.append(_probe(FUSION, "missing", ("image", "text"), 1.0, SMALL_SCORES[FUSION], 0.42))
    additive = AdditiveRecord(FUSION.name, 12, 0.67, 0.64, tuple(
        ((0, fold), gain) for fold, gain in enumerate((0.02, 0.04, 0.03, 0.03))), 0.25)
    return replace(record, probes=tuple(probes), additive=(additive,))


def _probe(
    cell: CellRecord,
    change: Any,
    modalities: tuple[str, ...],
    share: float,
    whole: Sequence[float],
    fall: float,
) -> ProbeRecord:
    return ProbeRecord(cell.name, change, modalities, share, tuple(
        ((0, fold), round(value - fall, 6)) for fold, value in enumerate(whole)))


def eventful_record() -> RunRecord:
    """The small record with its second phase; a cell failed, a row was dropped and something was odd."""
    attention = CellRecord("cnn + tfidf / attention", "cnn", "tfidf", "attention", None)
    record = probed_record()
    return replace(
        record, cells=(*record.cells, attention),
        failures=(FailureRecord(attention.name, 0, 1, "ValueError: no tokens", _TRACEBACK),),
        warnings=("3 identical pictures lie in different folds.",),
        alarms=("The class stands in 98 % of the texts.",),
        dropped=("row-12 (items.csv, line 14): the picture cannot be read.",))


def realistic_record(
    n_rows: int = 600, repeats: int = 2, folds: int = 5, encoders: int = 2
) -> RunRecord:
    """Cells that see the same rows through noisier or clearer glasses, so that fold scores correlate."""
    rng = np.random.default_rng(0)
    classes = (
        "Activities",
        "Animals & nature",
        "Food & drink",
        "Objects",
        "People & body",
        "Smileys",
        "Symbols",
        "Travel & places",
    )
    labels = rng.choice(len(classes), n_rows, p=[0.06, 0.1, 0.09, 0.17, 0.22, 0.1, 0.13, 0.13])
    ease = rng.normal(0, 1, n_rows)
    noise = {name: rng.normal(0, 1, (n_rows, len(classes))) for name in ("image", "text")}
    cells = _realistic_cells(encoders)
    records = []
    for cell, strength in cells.items():
        logits = _logits(cell, strength, labels, ease, noise, rng)
        for repeat in range(repeats):
            order = np.lexsort((np.random.default_rng(repeat).random(n_rows), labels))  # stratified
            records += [_realistic_fold(cell, repeat, fold, order[fold::folds], logits, labels, rng)
                        for fold in range(folds)]
    attention = CellRecord("cnn + sbert / attention cosine", "cnn", "sbert", "attention", None)
    return RunRecord(
        name="emoji",
        created="2026-01-02 03:04",
        command="python -m pipeline.run grid.yaml",
        grid=_GRID,
        metric="balanced_accuracy",
        metrics=METRICS,
        seed=0,
        classes=classes,
        ids=[f"1F6{i:02X}" for i in range(n_rows)],
        texts=["some name"] * n_rows,
        labels=labels,
        cells=(*cells, attention),
        folds=tuple(records),
        steps=(StepRecord("encode and fit", 60.0),),
        stages=_STAGES,
        split="Rows of the same base emoji stay together (group: base); classes are spread evenly.",
        fingerprint="3b7e" * 16,
        versions={"python": "3.11.9", "numpy": "2.4.6", "scikit-learn": "1.9.1", "torch": "2.11.0"},
        data={
            "source": "openmoji 17.0.0",
            "picture": "72 x 72 px on white",
            "text": "the emoji's name",
        },
        failures=(
            FailureRecord(
                attention.name, None, None, "ValueError: sequence of 0 tokens", _TRACEBACK
            ),
        ),
        warnings=(
            "12 identical texts lie in different folds (grouped by base emoji).",
            "The best C lies on the edge of its range (1) in 14 of 20 folds: widen the range.",
        ),
        dropped=("1F9FF (openmoji.svg): the picture cannot be drawn.",),
        thumbnail=small_jpeg,
    )


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
    StageRecord("read openmoji", 2.1), StageRecord("draw folds", 0.02),
    StageRecord("encode cnn", 31.4, 1200, 444, 12.0),
    StageRecord("encode tfidf", 0.9, 10, 0), StageRecord("encode sbert", 18.2, 1600, 0),
    StageRecord("cells", 64.5, 120, 40, 21.3), StageRecord("late fusion", 0.3, 40, 0))


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
    cell: CellRecord, strength: float, labels: NDArray[np.int64], ease: NDArray[np.float64],
    noise: Mapping[str, NDArray[np.float64]], rng: np.random.Generator,
) -> NDArray[np.float64]:
    if cell is MAJORITY:
        return np.tile(np.log(np.bincount(labels) / len(labels)), (len(labels), 1))
    seen = [noise[modality] for modality in ("image", "text") if getattr(cell, modality)]
    logits: NDArray[np.float64] = sum(seen) / np.sqrt(len(seen)) + rng.normal(0, 0.5, seen[0].shape)
    logits[np.arange(len(labels)), labels] += strength + 0.8 * ease
    return 1.6 * logits


def _realistic_fold(
    cell: CellRecord, repeat: int, fold: int, rows: NDArray[np.int64], logits: NDArray[np.float64],
    labels: NDArray[np.int64], rng: np.random.Generator,
) -> FoldRecord:
    exponentials = np.exp(logits[rows])
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
    )


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


NASTY = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "a|b`c*d_e_[f](http://evil.test/x)",
    "\"quoted' & <b>",
    "nul\x00bell\x07esc\x1b[31m del\x7f",
    "\u202eevil\u2066 \u05e9\u05dc\u05d5\u05dd",
    "{{ 7 * 7 }}{% raw %}",
    "]]>-->",
    "lone \ud800 surrogate",
    "line\nbreak\r\n# heading",
    "long " * 4000,
    "",
    "</style><!--",
    "é" * 500,
)


def hostile(record: RunRecord) -> RunRecord:
    """The record with every text replaced by hostile ones."""
    names = {
        cell.name: f"{cell.name}{NASTY[i % len(NASTY)]}" for i, cell in enumerate(record.cells)
    }
    cells = tuple(replace(cell, name=names[cell.name], image=cell.image and cell.image + NASTY[0],
                          text=cell.text and cell.text + NASTY[5]) for cell in record.cells)
    folds = tuple(
        replace(fold, cell=names[fold.cell], parameters={NASTY[0]: NASTY[2], "k": NASTY[4]})
        for fold in record.folds
    )
    failures = tuple(FailureRecord(cell.name, 0, 1, text, text) for cell, text in
                     zip(cells[-1:] * len(NASTY), NASTY, strict=True))
    stages = tuple(
        replace(stage, name=text) for stage, text in zip(record.stages, NASTY, strict=False)
    )
    steps = tuple(StepRecord(text, 1.0) for text in NASTY)
    return replace(
        record,
        name=NASTY[0],
        command=NASTY[3],
        grid="\n".join(NASTY),
        cells=cells,
        folds=folds,
        failures=failures,
        steps=steps,
        stages=stages,
        classes=NASTY[: len(record.classes)],
        split=NASTY[1],
        warnings=NASTY,
        alarms=NASTY,
        dropped=NASTY,
        versions={text: text for text in NASTY},
        data={text: text for text in NASTY},
        fingerprint=NASTY[0],
        created=NASTY[5],
        ids=[NASTY[row % len(NASTY)] for row in range(len(record.ids))],
        texts=[NASTY[(row + 3) % len(NASTY)] for row in range(len(record.ids))],
        thumbnail=_refuses,
    )


def _refuses(row: int) -> bytes:
    raise OSError(f"No such file: {NASTY[row % len(NASTY)]}")
