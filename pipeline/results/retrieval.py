"""From stored ranks to the record and the files of a run of retrieval."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models import FUSIONS
from models.matching import SharesSpace
from pipeline.config.cells import Cell
from pipeline.config.grid import Grid
from pipeline.config.reading.origin import ORIGIN, VERDICT
from pipeline.data.card import card
from pipeline.data.thumbnails import thumbnail
from pipeline.engine.task import Done
from pipeline.folds.fold import Fold
from pipeline.folds.wording import describe
from pipeline.metrics.retrieval import RETRIEVAL_METRICS, chance_of_hit
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import PlanOutcomes
from pipeline.plan.plan import Plan
from pipeline.plan.versions import package_versions
from pipeline.results.arrow_columns import named, strings, whole_numbers
from pipeline.results.files import write_files
from pipeline.results.inner_ranks import score_of
from pipeline.results.lock import lock_text
from pipeline.results.record import cell_record, remarks_of
from pipeline.store.manifest import Entry
from pipeline.tasks.matching import SIDES, ranks_of
from pipeline.tasks.unit import Unit, result_of
from reports.analysis.checks import Check, severe_first
from reports.page.files import write_whole
from reports.record import MetricRecord
from reports.retrieval.answer import answer_of
from reports.retrieval.plain import plain
from reports.retrieval_record import (
    CUTOFFS,
    DIRECTIONS,
    Direction,
    MatchRecord,
    QueriesRecord,
    RetrievalRecord,
)


def retrieval_record(
    plan: Plan,
    outcomes: PlanOutcomes,
    comparison: Comparison,
    command: str,
) -> RetrievalRecord:
    """What is known when all is scored; `command` gives it again. It has no work and no checks."""
    grid, dataset, versions = comparison.grid, comparison.dataset, package_versions()
    return RetrievalRecord(
        name=grid.name,
        created=time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        command=command,
        grid=lock_text(grid, versions, dataset.fingerprint),
        metric=grid.metric,
        metrics=_metrics(grid),
        median=frozenset(name for name, of in RETRIEVAL_METRICS.items() if of.centre == "median"),
        seed=grid.seed,
        ids=dataset.ids,
        texts=dataset.texts,
        samples={modality: modal.index for modality, modal in dataset.modalities.items()},
        cells=tuple(map(cell_record, comparison.cells)),
        folds=tuple(_match_records(plan, outcomes, comparison)),
        simplest=_simplest(comparison.cells),
        split=describe(grid.split, dataset, comparison.folds),
        fingerprint=dataset.fingerprint,
        versions=versions,
        data=card(dataset),
        failures=tuple(plan.failed(outcomes.units)),
        dropped=dataset.dropped,
        groups=dataset.groups,
        group_name=dataset.group_name,
        thumbnail=partial(thumbnail, dataset),
        steps=(),
        stages=(),
    )


def _simplest(cells: Iterable[Cell]) -> frozenset[str]:
    """Names of those that learned spaces are held against."""
    classes = {cell.name: FUSIONS[cell.fusion.name] for cell in cells}
    return frozenset(
        name for name, cls in classes.items() if issubclass(cls, SharesSpace) and cls.simplest
    )


def _metrics(grid: Grid) -> tuple[MetricRecord, ...]:
    return tuple(
        MetricRecord(name, metric.greater_is_better, metric.unit, grid.rope.get(name, metric.rope))
        for name, metric in RETRIEVAL_METRICS.items()
    )


def _match_records(
    plan: Plan, outcomes: PlanOutcomes, comparison: Comparison
) -> Iterator[MatchRecord]:
    """Records of all results, cell by cell and fold by fold."""
    order = {cell: number for number, cell in enumerate(comparison.cells)}
    for unit in sorted(
        plan.units, key=lambda unit: (order[unit.cell], unit.fold.repeat, unit.fold.fold)
    ):
        outcome = outcomes.units[unit.key]
        if isinstance(outcome, Done):
            entry = result_of(unit, comparison.store)
            yield _match_record(unit, outcome, entry, comparison.grid.metric)


def _match_record(unit: Unit, outcome: Done, entry: Entry, metric: str) -> MatchRecord:
    queries = {direction: _queries(entry, direction) for direction in SIDES}
    return MatchRecord(
        cell=unit.cell.name,
        repeat=unit.fold.repeat,
        fold=unit.fold.fold,
        n_train=len(unit.fold.train),
        rows=unit.fold.test,
        queries=queries,
        scores={direction: _scores(of_queries) for direction, of_queries in queries.items()},
        parameters=entry.facts["parameters"],
        fit_seconds=entry.facts["fit_seconds"],
        predict_seconds=entry.facts["predict_seconds"],
        reused=outcome.reused,
        inner_score=score_of(entry, metric),
    )


def _queries(entry: Entry, direction: Direction) -> QueriesRecord:
    ranks, rows = ranks_of(entry, direction)
    return QueriesRecord(
        rows=rows,
        first=ranks.first,
        nearest=ranks.nearest,
        values={name: metric.function(ranks) for name, metric in RETRIEVAL_METRICS.items()},
        candidates=ranks.candidates,
        chance={k: chance_of_hit(ranks, k) for k in CUTOFFS},
    )


def _scores(queries: QueriesRecord) -> dict[str, float]:
    return {
        name: float((np.median if metric.centre == "median" else np.mean)(queries.values[name]))
        for name, metric in RETRIEVAL_METRICS.items()
    }


def with_checks(record: RetrievalRecord, checks: Sequence[Check]) -> RetrievalRecord:
    """The record with what `checks` of rows and folds say, and those of its scores."""
    remarks = remarks_of(severe_first([*checks, *answer_of(record).checks()]))
    warnings = (*record.warnings, *remarks.warnings)
    return replace(record, alarms=remarks.alarms, warnings=warnings, doubts=remarks.doubts)


def write_retrieval_run(
    record: RetrievalRecord, folds: Sequence[Fold], folder: Path, origin: str
) -> None:
    """Write everything but the report into `folder`, where no other run's files are."""
    write_files(record, folds, folder, {
        ORIGIN: origin,
        "scores.csv": scores_csv(record),
        VERDICT: json.dumps(plain(answer_of(record)), indent=2, ensure_ascii=False) + "\n",
    })
    write_whole(folder / "ranks.parquet", lambda path: pq.write_table(ranks_table(record), path))


ROW_COLUMNS = (
    "cell",
    "image",
    "text",
    "fusion",
    "parameters",
    "repeat",
    "fold",
    "direction",
    "n_train",
    "queries",
    "candidates",
)
SECONDS = ("fit_seconds", "predict_seconds")


def scores_csv(record: RetrievalRecord) -> str:
    """One row per cell, repeat, fold and direction; scores with six decimals."""
    text = io.StringIO()
    columns = (*ROW_COLUMNS, *RETRIEVAL_METRICS, *SECONDS)
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    cells = {cell.name: cell for cell in record.cells}
    for fold in record.folds:
        cell = cells[fold.cell]
        shared = {"cell": cell.name, "image": cell.image, "text": cell.text, "fusion": cell.fusion}
        for direction, queries in fold.queries.items():
            writer.writerow({**shared, **_score_row(fold, direction, queries)})
    return text.getvalue()


def _score_row(
    fold: MatchRecord, direction: Direction, queries: QueriesRecord
) -> Mapping[str, Any]:
    return {
        "parameters": json.dumps(dict(fold.parameters), sort_keys=True),
        "repeat": fold.repeat,
        "fold": fold.fold,
        "direction": direction,
        "n_train": fold.n_train,
        "queries": len(queries.rows),
        "candidates": queries.candidates,
        **{name: f"{score:.6f}" for name, score in fold.scores[direction].items()},
        "fit_seconds": f"{fold.fit_seconds:.3f}",
        "predict_seconds": f"{fold.predict_seconds:.4f}",
    }


def ranks_table(record: RetrievalRecord) -> pa.Table:
    """Each query of each cell and fold: its row's id, the rank found, its nearest rows' ids."""
    asked = list(chain.from_iterable(map(_asked, record.folds)))
    queries = [of_way for _, _, of_way in asked]
    sizes = [len(of_way.rows) for of_way in queries]
    cells = [cell.name for cell in record.cells]
    ids = strings(record.ids)

    def of_folds(values: Sequence[int]) -> NDArray[np.int64]:
        return np.repeat(np.array(values, np.int64), sizes)

    nearest = [of_way.nearest for of_way in queries]
    near_ids = ids.take(whole_numbers(_joined([rows.ravel() for rows in nearest])))
    lengths = of_folds([rows.shape[1] for rows in nearest])
    ends = np.cumsum(_joined([np.zeros(1, np.int64), lengths]))
    columns = {
        "id": ids.take(whole_numbers(_joined([of_way.rows for of_way in queries]))),
        "direction": named(of_folds([DIRECTIONS.index(way) for _, way, _ in asked]), DIRECTIONS),
        "cell": named(of_folds([cells.index(fold.cell) for fold, _, _ in asked]), cells),
        "repeat": whole_numbers(of_folds([fold.repeat for fold, _, _ in asked])),
        "fold": whole_numbers(of_folds([fold.fold for fold, _, _ in asked])),
        "first_rank": whole_numbers(_joined([of_way.first for of_way in queries])),
        "nearest": pa.ListArray.from_arrays(whole_numbers(ends), near_ids),
    }
    return pa.Table.from_arrays(list(columns.values()), names=list(columns))


def _asked(fold: MatchRecord) -> list[tuple[MatchRecord, Direction, QueriesRecord]]:
    return [(fold, way, of_way) for way, of_way in fold.queries.items()]


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, np.int64), *parts])
