"""verdict.json, contrasts.csv, labels.csv: the answer for programs, and what stands behind it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite
from typing import Any

from reports.analysis.contrasts import Contrast, contrasts
from reports.analysis.ranking import Comparison, rank_cells
from reports.analysis.standing import Standing
from reports.answer.verdict import Verdict, verdict
from reports.record import RunRecord
from reports.sections.labels import doubts
from reports.sections.verdict import VerdictFacts, facts

FORMAT = 1  # raised whenever a key of verdict.json changes its meaning or goes
LABEL_COLUMNS = ("rank", "id", "label", "suggested", "p_label", "p_suggested", "text")
CONTRAST_COLUMNS = (
    "question",
    "cell",
    "other",
    "metric",
    "folds",
    "ahead",
    "gain",
    "low",
    "high",
    "p_value",
    "p_adjusted",
    "p_better",
    "p_equivalent",
    "p_worse",
    "rope",
    "pooled_gain",
    "pooled_low",
    "pooled_high",
)


def verdict_json(record: RunRecord) -> str:
    """The answer, the figures that decide it, what to do, and all cells; numbers unrounded."""
    reached, said = verdict(record), facts(record)
    content = {
        "format": FORMAT,
        "name": record.name,
        "metric": record.metric,
        "answer": reached.answer,
        "headline": said.headline,
        "advice": list(said.sentences),
        "cautions": list(said.cautions),
        "alarms": list(said.alarms),
        "not_reached": None if record.unreached is None else asdict(record.unreached),
        **_figures(reached, said),
        "cells": [_cell(standing) for standing in rank_cells(record).standings],
    }
    return json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def contrasts_csv(record: RunRecord) -> str:
    """One row for the comparison that decides, then one for each declared comparison of cells."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CONTRAST_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_contrast_rows(record))
    return text.getvalue()


def labels_csv(record: RunRecord) -> str:
    """One row for each doubtful label, the most doubtful first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(LABEL_COLUMNS)
    for rank, doubt in enumerate(doubts(record), 1):
        shares = [f"{share:.4f}" for share in (doubt.probability, doubt.suggested_probability)]
        writer.writerow([rank, doubt.id, doubt.label, doubt.suggested, *shares, doubt.text or ""])
    return text.getvalue()


def _figures(reached: Verdict, said: VerdictFacts) -> dict[str, Any]:
    agreement, second = reached.agreement, reached.second
    return {
        "gain": None if reached.gain is None else _gain(reached.gain),
        "over_test_rows": None
        if reached.over_test_rows is None
        else asdict(reached.over_test_rows),
        "second_metric": None
        if second is None
        else {"metric": second.metric.name, "answer": second.answer, **_gain(second.gain)},
        "pairs_of_repeats": None if agreement is None else list(agreement.answers),
        "settling": None if reached.settling is None else asdict(reached.settling),
        "over_baseline": None if reached.over_baseline is None else _gain(reached.over_baseline),
        "winner": said.winner,
        "choose": None if said.choose is None else asdict(said.choose),
        "score": None if reached.score is None else asdict(reached.score),
        "chosen": {
            pool: {f"{repeat},{fold}": name for (repeat, fold), name in choosing.chosen.items()}
            for pool, choosing in reached.procedures.items()
        },
    }


def _gain(gain: Comparison) -> dict[str, Any]:
    figures = {**asdict(gain.interval), "ahead": gain.ahead, "p_value": None}
    if gain.test is not None and gain.posterior is not None:
        figures["p_value"] = gain.test.p_value
        figures["p_above_zero"] = gain.positive
        figures["p_equivalent"] = gain.posterior.equivalent
        figures["rope"] = gain.posterior.rope
    return figures


def _cell(standing: Standing) -> dict[str, Any]:
    cell, score = standing.cell, standing.score
    return {
        "name": cell.name,
        "image": cell.image,
        "text": cell.text,
        "fusion": cell.fusion,
        "classifier": cell.classifier,
        "rank": standing.rank,
        "mean": score.mean,
        "deviation": score.deviation,
    }


def _contrast_rows(record: RunRecord) -> Iterator[dict[str, Any]]:
    gain = verdict(record).gain
    if gain is not None:
        yield _row("answer", record.metric, gain)
    for contrast in contrasts(record).family:
        yield _row(contrast.question, record.metric, contrast.comparison) | _corrected(contrast)


def _row(question: str, metric: str, gain: Comparison) -> dict[str, Any]:
    posterior = gain.posterior
    return {
        "question": question,
        "cell": gain.cell,
        "other": gain.other,
        "metric": metric,
        "folds": gain.interval.folds,
        "ahead": gain.ahead,
        "gain": _number(gain.interval.mean),
        "low": _number(gain.interval.low),
        "high": _number(gain.interval.high),
        "p_value": _number(None if gain.test is None else gain.test.p_value),
        "p_better": _number(None if posterior is None else posterior.better),
        "p_equivalent": _number(None if posterior is None else posterior.equivalent),
        "p_worse": _number(None if posterior is None else posterior.worse),
        "rope": None if posterior is None else posterior.rope,
    }


def _corrected(contrast: Contrast) -> dict[str, Any]:
    return {
        "p_adjusted": _number(contrast.adjusted),
        "pooled_gain": _number(contrast.pooled.estimate),
        "pooled_low": _number(contrast.pooled.low),
        "pooled_high": _number(contrast.pooled.high),
    }


def _number(value: float | None) -> str:
    return "" if value is None or not isfinite(value) else f"{value:.6f}"


def _plain(value: Any) -> Any:
    """The value as JSON has it: numbers that are none become null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
