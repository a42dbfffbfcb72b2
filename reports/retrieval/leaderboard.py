"""Every space with its scores in both directions, its gap to the best one and its cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.analysis.bootstrap import PooledInterval
from reports.record import MetricRecord
from reports.retrieval.answer import WAY_NAMES, WAYS, RetrievalAnswer, Standing, answer_of
from reports.retrieval.choice import NAMES
from reports.retrieval.contrasts import Contrast
from reports.retrieval.resampled import Ways
from reports.retrieval_record import MatchRecord, RetrievalRecord
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
class Chosen:
    """A cell that could be chosen, or the choice itself: `times` is None for it.

    Parameters
    ----------
    inner : mean score on the inner folds of all outer ones, of the chosen cells for the choice.
    score : by the run's metric both ways, on the outer folds.
    """

    name: str
    inner: float
    times: int | None
    score: PooledInterval


@dataclass(frozen=True)
class LeaderboardFacts:
    """Three tables, the ranking metric first in each, and a row of costs for each cell.

    Parameters
    ----------
    choices : the cells that could be chosen, best on inner folds first, then the choice.
    digits : of a score by the run's metric.
    """

    metrics: tuple[MetricRecord, ...]
    tables: tuple[Table, ...]
    costs: tuple[Cost, ...]
    choices: tuple[Chosen, ...]
    contrasts: tuple[Contrast, ...]
    folds: int
    digits: int
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
        tuple(_chosen(answer, record)),
        answer.contrasts,
        answer.folds,
        1 if answer.metric.unit == "rank" else 3,
        tuple(cell.name for cell in record.cells if cell.name not in complete),
    )


def _row(standing: Standing, way: Ways, metrics: tuple[MetricRecord, ...]) -> Row:
    scores = tuple(standing.scores[way, metric.name] for metric in metrics)
    return Row(standing.rank, standing.name, scores)


def _chosen(answer: RetrievalAnswer, record: RetrievalRecord) -> Iterator[Chosen]:
    choice = answer.choice
    if choice is None:
        return
    rows = [
        Chosen(
            standing.name,
            _inner([fold for fold in record.folds if fold.cell == standing.name]),
            choice.times(standing.name),
            standing.scores["both", answer.metric.name],
        )
        for standing in answer.standings
        if standing.name in choice.candidates
    ]
    sign = -1 if answer.metric.greater_is_better else 1
    score = answer.expected["both", answer.metric.name]
    yield from sorted(rows, key=lambda row: sign * row.inner)
    yield Chosen(NAMES["all"], _inner(choice.folds), None, score)


def _inner(folds: Sequence[MatchRecord]) -> float:
    """Mean score on inner folds."""
    scores = [fold.inner_score for fold in folds if fold.inner_score is not None]
    return sum(scores) / len(scores)


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
