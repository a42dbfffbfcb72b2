"""A run record in which every text is hostile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reports.fold_record import CellRecord, FailureRecord, FoldRecord
from reports.record import RunRecord
from reports.work_record import StageRecord, StepRecord

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
    names = {cell.name: f"{cell.name}{_nasty(i)}" for i, cell in enumerate(record.cells)}
    cells = tuple(_cell(cell, names[cell.name]) for cell in record.cells)
    rows = range(len(record.ids))
    return replace(
        record,
        cells=cells,
        folds=tuple(_fold(fold, names[fold.cell]) for fold in record.folds),
        failures=tuple(FailureRecord(cells[-1].name, 0, 1, text, text) for text in NASTY),
        steps=tuple(StepRecord(text, 1.0) for text in NASTY),
        stages=tuple(_stages(record)),
        classes=NASTY[: len(record.classes)],
        ids=[_nasty(row) for row in rows],
        texts=[_nasty(row + 3) for row in rows],
        thumbnail=_refuses,
        **_DESCRIPTION,
    )


_DESCRIPTION: dict[str, Any] = {
    "name": NASTY[0],
    "command": NASTY[3],
    "grid": "\n".join(NASTY),
    "split": NASTY[1],
    "warnings": NASTY,
    "alarms": NASTY,
    "dropped": NASTY,
    "versions": {text: text for text in NASTY},
    "data": {text: text for text in NASTY},
    "fingerprint": NASTY[0],
    "created": NASTY[5],
}


def _nasty(number: int) -> str:
    return NASTY[number % len(NASTY)]


def _cell(cell: CellRecord, name: str) -> CellRecord:
    image, text = cell.image and cell.image + NASTY[0], cell.text and cell.text + NASTY[5]
    return replace(cell, name=name, image=image, text=text)


def _fold(fold: FoldRecord, cell: str) -> FoldRecord:
    return replace(fold, cell=cell, parameters={NASTY[0]: NASTY[2], "k": NASTY[4]})


def _stages(record: RunRecord) -> list[StageRecord]:
    named = zip(record.stages, NASTY, strict=False)
    return [replace(stage, name=text) for stage, text in named]


def _refuses(row: int) -> bytes:
    raise OSError(f"No such file: {_nasty(row)}")
