"""Every space with its scores in both directions, its gap to the best one and its cost."""

from __future__ import annotations

from dataclasses import dataclass

from reports.analysis.bootstrap import PooledInterval
from reports.record import MetricRecord
from reports.retrieval.answer import WAY_NAMES, WAYS, Standing, answer_of
from reports.retrieval.resampled import Ways
from reports.retrieval_record import RetrievalRecord
from reports.section import Section


@dataclass(frozen=True)
class Row:
    """One cell in one table; `scores` in the order of the metrics."""

    rank: int
    name: str
    scores: tuple[PooledInterval, ...]


@dataclass(frozen=True)
class Table:
    """All complete cells in one direction, or both ways."""

    way: Ways
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Cost:
    """What a cell chose and took, means over folds."""

    rank: int
    name: str
    behind: PooledInterval | None
    chosen: str
    fit_seconds: float
    rank_seconds: float


@dataclass(frozen=True)
class LeaderboardFacts:
    """Three tables, the ranking metric first in each, and a row of costs for each cell."""

    metrics: tuple[MetricRecord, ...]
    tables: tuple[Table, ...]
    costs: tuple[Cost, ...]
    failed: tuple[str, ...]


def facts(record: RetrievalRecord) -> LeaderboardFacts:
    """Rows of all complete cells, best first."""
    answer = answer_of(record)
    metrics = tuple(sorted(record.metrics, key=lambda metric: metric.name != record.metric))
    complete = {standing.name for standing in answer.standings}
    return LeaderboardFacts(
        metrics,
        tuple(
            Table(
                way,
                WAY_NAMES[way],
                tuple(_row(standing, way, metrics) for standing in answer.standings),
            )
            for way in WAYS
        ),
        tuple(_cost(standing, record) for standing in answer.standings),
        tuple(cell.name for cell in record.cells if cell.name not in complete),
    )


def _row(standing: Standing, way: Ways, metrics: tuple[MetricRecord, ...]) -> Row:
    scores = tuple(standing.scores[way, metric.name] for metric in metrics)
    return Row(standing.rank, standing.name, scores)


def _cost(standing: Standing, record: RetrievalRecord) -> Cost:
    folds = [fold for fold in record.folds if fold.cell == standing.name]
    chosen = dict.fromkeys(
        ", ".join(f"{name} {value}" for name, value in fold.parameters.items()) for fold in folds
    )
    return Cost(
        standing.rank,
        standing.name,
        standing.behind,
        "; ".join(filter(None, chosen)),
        sum(fold.fit_seconds for fold in folds) / len(folds),
        sum(fold.predict_seconds for fold in folds) / len(folds),
    )


SECTION = Section("Leaderboard", facts)
