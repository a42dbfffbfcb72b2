"""What attention models looked at, for the report: asked of refitted models once, then stored."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from features.block import modalities_of
from models.neural.attending import Attending, AttendsToPairs, WeighsModalities
from pipeline.config.cells import Cell
from pipeline.data.dataset import Dataset
from pipeline.data.rows import Rows
from pipeline.engine.attempts import failure
from pipeline.engine.task import Failed, NotReached
from pipeline.followup.attention_task import AttentionTask
from pipeline.metrics import METRICS
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import encode_lost
from pipeline.plan.plan import Plan
from pipeline.results.scores import Scores
from pipeline.store.manifest import Entry
from pipeline.tasks.encoding.samples import put_samples
from pipeline.tasks.unit import Unit
from reports.fold_record import FoldRecord
from reports.follow_up_record import AttentionRecord, MatchRecord

RIGHT, WRONG = 4, 4  # rows shown of each kind


class Attention(NamedTuple):
    """What the best model that attends to pairs and the best that weighs modalities looked at.

    Parameters
    ----------
    remarks : name what could not be had, and why.
    not_reached : cells that the time did not suffice to ask.
    """

    records: tuple[AttentionRecord, ...]
    remarks: tuple[str, ...]
    not_reached: tuple[str, ...]


class _NotReached(Exception):
    """The time is over."""


def attention(plan: Plan, scores: Scores, comparison: Comparison) -> Attention:
    """Ask the best models, refitted on the first outer fold; what the store has is not asked."""
    records, remarks, not_reached = [], [], []
    for unit, result in _best_units(plan, scores, comparison.grid.metric):
        try:
            records.append(_record(unit, result, comparison))
        except _NotReached:
            not_reached.append(unit.cell.name)
        except Exception as error:  # the run's results stand without it
            failure(error)  # but not without room on the disk
            remarks.append(f"What {unit.cell.name} looked at cannot be shown: {error}")
    return Attention(tuple(records), tuple(remarks), tuple(not_reached))


def _best_units(plan: Plan, scores: Scores, metric: str) -> list[tuple[Unit, FoldRecord]]:
    """Of each kind of attention, the first fold's unit of the cell with the best mean score.

    Pairs are shown of cells with a single encoder of each modality: a map has the regions of one.
    """
    folds: dict[Cell, list[FoldRecord]] = {}
    for (cell, _, _), record in scores.records.items():
        folds.setdefault(cell, []).append(record)
    most = max(map(len, folds.values()), default=0)
    best: dict[type[Attending], tuple[float, Unit]] = {}
    sign = 1 if METRICS[metric].greater_is_better else -1
    for unit in plan.units:
        kind = _kind(unit)
        records = folds.get(unit.cell, [])
        is_first = (unit.fold.repeat, unit.fold.fold) == (0, 0)
        if not is_first or len(records) < most or kind is None:
            continue
        if kind is AttendsToPairs and unit.cell.together():
            continue
        score = sign * float(np.mean([record.scores[metric] for record in records]))
        if kind not in best or score > best[kind][0]:
            best[kind] = score, unit
    return [(unit, scores.records[unit.cell, 0, 0]) for _, unit in best.values()]


def _record(unit: Unit, result: FoldRecord, comparison: Comparison) -> AttentionRecord:
    dataset = comparison.dataset
    pairs = _kind(unit) is AttendsToPairs
    rows = _chosen(result, dataset) if pairs else _complete(result.rows, dataset)
    if not len(rows):
        raise ValueError("no test row of its first fold has both a picture and a text")
    entry = _answer(_task(unit, rows, comparison), unit, comparison)
    numbers = result.cell, result.repeat, result.fold
    if pairs:
        return AttentionRecord(*numbers, matches=_matches(entry, rows))
    weights = np.asarray(entry.arrays["weights"], dtype=np.float64)
    return AttentionRecord(*numbers, rows=rows, picture_weights=weights[:, 0])


def _kind(unit: Unit) -> type[Attending] | None:
    """What the unit's model attends to; None where it says nothing of that."""
    for kind in (AttendsToPairs, WeighsModalities):
        if isinstance(unit.estimator, kind):
            return kind
    return None


def _task(unit: Unit, rows: Rows, comparison: Comparison) -> AttentionTask:
    references = {
        modality: put_samples(comparison.dataset, modality, comparison.store)
        for modality in modalities_of(unit.features)
    }
    positions = tuple(rows.tolist())
    return AttentionTask(unit.without_rows(), comparison.context.key, positions, references)


def _answer(task: AttentionTask, unit: Unit, comparison: Comparison) -> Entry:
    """What the store has, or what the model says now, whose lost features are encoded again."""
    store = comparison.store
    stored = store.load(task.ingredients)
    if stored is not None:
        return stored
    encode_lost([unit], comparison)
    comparison.context.put(store)
    outcome = comparison.run([task])[task.keys[0]]
    if isinstance(outcome, NotReached):
        raise _NotReached
    if isinstance(outcome, Failed):
        raise RuntimeError(outcome.error)
    entry = store.load(task.ingredients)
    if entry is None:
        raise FileNotFoundError("it was removed from the store while it was needed; run again")
    return entry


def _complete(rows: Rows, dataset: Dataset) -> Rows:
    """Those that have both a picture and a text."""
    return rows[np.all([modal.index[rows] >= 0 for modal in dataset.modalities.values()], axis=0)]


def _chosen(result: FoldRecord, dataset: Dataset) -> Rows:
    """Some rows predicted right and some wrong: the first, of different classes if possible."""
    complete = np.isin(result.rows, _complete(result.rows, dataset))
    right = result.probabilities.argmax(axis=1) == dataset.labels[result.rows]
    return np.concatenate([
        _varied(result.rows[complete & kind], dataset.labels, count)
        for kind, count in ((right, RIGHT), (~right, WRONG))
    ])


def _varied(rows: Rows, labels: Rows, count: int) -> Rows:
    """The first row of each class, then the second of each, and so on, as many as asked for."""
    rows = np.sort(rows)
    rank = np.zeros(len(rows), dtype=np.int64)
    for label in np.unique(labels[rows]):
        rank[labels[rows] == label] = np.arange(np.sum(labels[rows] == label))
    return np.asarray(rows[np.lexsort((rows, rank))][:count])


def _matches(entry: Entry, rows: Rows) -> tuple[MatchRecord, ...]:
    alphas, probabilities = (
        np.asarray(entry.arrays[name], dtype=np.float64) for name in ("alpha", "probabilities")
    )
    words: Sequence[Sequence[str]] | None = entry.facts["words"]
    matches = []
    for number, row in enumerate(rows):
        tokens = None if words is None else tuple(words[number])
        alpha = alphas[number] if tokens is None else alphas[number][:, :len(tokens)]
        picture = _jpeg(entry.arrays, number)
        matches.append(MatchRecord(int(row), probabilities[number], alpha, tokens, picture))
    return tuple(matches)


def _jpeg(arrays: Mapping[str, Any], number: int) -> bytes | None:
    if "pictures" not in arrays:
        return None
    file = io.BytesIO()
    Image.fromarray(np.asarray(arrays["pictures"][number])).save(
        file, "JPEG", quality=78, optimize=True
    )
    return file.getvalue()
