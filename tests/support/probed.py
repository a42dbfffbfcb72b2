"""The small record with a second phase, and with everything that can happen to a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from pipeline.testing.records import FUSION, IMAGE, SMALL_SCORES, TEXT, small_record
from reports.fold_record import CellRecord, FailureRecord
from reports.follow_up_record import AdditiveRecord, LabelsRecord, ProbeRecord
from reports.record import RunRecord

SHARES = (0.25, 0.5, 0.75, 1.0)
TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "attention.py", line 40, in fit\n'
    "ValueError: no tokens\n"
)


def probed_record() -> RunRecord:
    """The small record with its second phase: FUSION leans on the text; one score for each fold.

    Balanced accuracy of FUSION is .67 as it is, .55 without pictures, .45 without texts and .25
    without either; swapping costs 1.2 times what missing costs. TEXT and IMAGE fall to the
    majority's .25 on a straight line.
    """
    falls = {FUSION: {"image": 0.12, "text": 0.22}, TEXT: {"text": 0.37}, IMAGE: {"image": 0.28}}
    probes: list[ProbeRecord] = []
    for cell, by_modality in falls.items():
        probes += _probes(cell, by_modality)
    probes.append(_probe(FUSION, "missing", ("image", "text"), 1.0, 0.42))
    gains = enumerate((0.02, 0.04, 0.03, 0.03))
    by_fold = tuple(((0, fold), gain) for fold, gain in gains)
    additive = AdditiveRecord(FUSION.name, 12, 0.67, 0.64, by_fold, 0.25)
    return replace(small_record(), probes=tuple(probes), additive=(additive,))


def _probes(cell: CellRecord, falls: Mapping[str, float]) -> Iterator[ProbeRecord]:
    """A cell as it is, then by modality and change with a rising share of altered rows."""
    yield _probe(cell, "none", (), 0.0, 0.0)
    for modality, fall in falls.items():
        for share in SHARES:
            yield _probe(cell, "missing", (modality,), share, fall * share * 1.0)
        for share in SHARES:
            yield _probe(cell, "swapped", (modality,), share, fall * share * 1.2)


def _probe(
    cell: CellRecord,
    change: Literal["none", "missing", "swapped"],
    modalities: tuple[str, ...],
    share: float,
    fall: float,
) -> ProbeRecord:
    """The cell's scores of the small record, less `fall`."""
    scores: Sequence[float] = SMALL_SCORES[cell]
    altered = tuple(((0, fold), round(value - fall, 6)) for fold, value in enumerate(scores))
    return ProbeRecord(cell.name, change, modalities, share, altered)


def eventful_record() -> RunRecord:
    """The probed record; a cell failed, a row was dropped and something was odd."""
    attention = CellRecord("cnn + tfidf / attention", "cnn", "tfidf", "attention", None)
    record = probed_record()
    return replace(
        record,
        cells=(*record.cells, attention),
        failures=(FailureRecord(attention.name, 0, 1, "ValueError: no tokens", TRACEBACK),),
        warnings=("3 identical pictures lie in different folds.",),
        alarms=("The class stands in 98 % of the texts.",),
        dropped=("row-12 (items.csv, line 14): the picture cannot be read.",),
        label_issues=LabelsRecord(
            FUSION.name, 12, np.array([4, 0]), np.array([[0.7, 0.1, 0.2], [0.3, 0.2, 0.5]])
        ),
    )
