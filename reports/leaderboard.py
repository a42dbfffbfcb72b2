"""Every cell with its scores over folds, chosen parameters and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from reports.drawing import fold_strips
from reports.ranking import Kind, Ranking, Spread, Standing, rank_cells, spread
from reports.record import FoldKey, MetricRecord, RunRecord
from reports.section import Chart, Section
from reports.wording import clean, count, metric_label, plus_minus

CHART_ROWS = 30


@dataclass(frozen=True)
class Row:
    """One cell.

    Parameters
    ----------
    rank : 1 is best; None for a cell without a complete set of folds.
    scores : one per metric, in the order of LeaderboardFacts.metrics.
    by_fold : ((repeat, fold), value of the ranking metric), only defined values.
    done : folds computed, of LeaderboardFacts.folds.
    parameters : (name, ((value, number of folds it was chosen on), ...)), most frequent first.
    fit_seconds, predict_seconds : mean per fold, as measured when the fold was computed.
    note : what went wrong, for a cell that failed or is incomplete.
    """

    rank: int | None
    name: str
    kind: Kind
    scores: tuple[Spread, ...]
    by_fold: tuple[tuple[FoldKey, float], ...]
    done: int
    parameters: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    fit_seconds: float
    predict_seconds: float
    note: str | None = None


@dataclass(frozen=True)
class LeaderboardFacts:
    """All rows, best first; `metrics` starts with the ranking metric; `folds` is what a cell should have."""

    metrics: tuple[MetricRecord, ...]
    rows: tuple[Row, ...]
    folds: int
    excluded: int


def facts(record: RunRecord) -> LeaderboardFacts | None:
    """Rows of all cells; None for a run without cells.

    `excluded` counts the folds on which the ranking metric is defined for no cell.
    """
    if not record.cells:
        return None
    ranking = rank_cells(record)
    metrics = (ranking.metric, *(metric for metric in record.metrics if metric.name != record.metric))
    expected = {(entry.repeat, entry.fold) for entry in record.folds}
    rows = tuple(_row(standing, ranking, metrics, len(expected), record) for standing in ranking.standings)
    return LeaderboardFacts(metrics, rows, len(expected), len(expected) - len(ranking.folds))


def charts(board: LeaderboardFacts) -> dict[str, Chart]:
    """Fold scores of the first cells and of the baselines: a dot per fold, a bar for the mean."""
    shown = [row for position, row in enumerate(board.rows)
             if row.by_fold and (position < CHART_ROWS or row.kind == "baseline")]
    if not shown:
        return {}
    metric = metric_label(board.metrics[0].name)
    spec = fold_strips(
        [(row.name, row.kind, row.scores[0].mean, row.by_fold) for row in shown], metric, zero=False)
    best = shown[0]
    label = (f"{metric} of {count(len(shown), 'cell')} on each fold; highest in the list is {clean(best.name)} "
             f"with {plus_minus(best.scores[0])}.")
    return {"leaderboard": Chart(spec, label, "One dot for each fold, a bar at the mean.")}


def _row(
    standing: Standing, ranking: Ranking, metrics: Iterable[MetricRecord], expected: int, record: RunRecord
) -> Row:
    entries = standing.folds.values()
    name = ranking.metric.name
    by_fold = tuple((key, standing.folds[key].scores[name]) for key in ranking.folds
                    if key in standing.folds and isfinite(standing.folds[key].scores.get(name, nan)))
    return Row(
        rank=standing.rank, name=standing.cell.name, kind=standing.kind,
        scores=tuple(spread(entry.scores.get(metric.name, nan) for entry in entries) for metric in metrics),
        by_fold=by_fold, done=len(entries),
        parameters=_chosen(entry.parameters for entry in entries),
        fit_seconds=spread(entry.fit_seconds for entry in entries).mean,
        predict_seconds=spread(entry.predict_seconds for entry in entries).mean,
        note=_note(standing, expected, record))


def _chosen(settings: Iterable[Any]) -> tuple[tuple[str, tuple[tuple[str, int], ...]], ...]:
    counts: dict[str, Counter[str]] = {}
    for setting in settings:
        for name, value in setting.items():
            counts.setdefault(str(name), Counter())[_value(value)] += 1
    return tuple((name, tuple(counter.most_common())) for name, counter in counts.items())


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _note(standing: Standing, expected: int, record: RunRecord) -> str | None:
    failures = [failure for failure in record.failures if failure.cell == standing.cell.name]
    if failures:
        return f"failed: {failures[0].error}"
    if standing.complete:
        return None
    done = len(standing.folds)
    return f"only {done} of {expected} folds" if done < expected else "score not defined on every fold"


SECTION = Section("Leaderboard", facts, charts)
