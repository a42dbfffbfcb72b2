"""Every cell with its scores over folds, chosen parameters and cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.analysis.bootstrap import PooledInterval, pooled
from reports.analysis.interval_wording import plus_minus
from reports.analysis.ranking import Kind, Ranking, Spread, Standing, rank_cells, spread
from reports.charts.drawing import Dot, fold_strips, front
from reports.record import FoldKey, FoldRecord, MetricRecord, RunRecord
from reports.section import Chart, Section
from reports.wording import clean, count, duration, metric_label

CHART_ROWS = 30


@dataclass(frozen=True)
class Cost:
    """What one fold of a cell takes: means over folds, as measured when they were computed.

    Parameters
    ----------
    encode_seconds : encoding all distinct samples of the data set once, summed over its encoders.
    fit_seconds : choosing parameters on inner folds and fitting; `predict_seconds`: the fold's test
        rows.
    feature_bytes, model_bytes : size of its features and of the fitted model (nan where not known).
    """

    encode_seconds: float
    fit_seconds: float
    predict_seconds: float
    feature_bytes: float
    model_bytes: float

    @property
    def seconds(self) -> float:
        """Encoding, fitting and predicting together."""
        return self.encode_seconds + self.fit_seconds + self.predict_seconds


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
    ranks : lowest, middle and highest of its ranks on single folds among complete cells (equals
        share the best of their places); None for an incomplete cell.
    interval : bootstrap interval of the score of the pooled out-of-fold predictions; None for an
        incomplete cell.
    front : no other complete cell is at least as good and cheaper in seconds, or better and no
        dearer.
    note : what went wrong, for a cell that failed or is incomplete.
    """

    rank: int | None
    name: str
    kind: Kind
    scores: tuple[Spread, ...]
    by_fold: tuple[tuple[FoldKey, float], ...]
    done: int
    parameters: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    cost: Cost
    ranks: tuple[int, float, int] | None = None
    interval: PooledInterval | None = None
    front: bool = False
    note: str | None = None


@dataclass(frozen=True)
class LeaderboardFacts:
    """All rows, best first; `metrics` starts with the ranking metric; `folds` is what a cell should have.

    `units` : what is drawn for the intervals: "rows", or whole "groups" or "classes".
    """

    metrics: tuple[MetricRecord, ...]
    rows: tuple[Row, ...]
    folds: int
    excluded: int
    units: str


def facts(record: RunRecord) -> LeaderboardFacts | None:
    """Rows of all cells; None for a run without cells.

    `excluded` counts the folds on which the ranking metric is defined for no cell.
    """
    if not record.cells:
        return None
    ranking = rank_cells(record)
    metrics = (
        ranking.metric,
        *(metric for metric in record.metrics if metric.name != record.metric),
    )
    expected = {(entry.repeat, entry.fold) for entry in record.folds}
    rows = [
        _row(standing, ranking, metrics, len(expected), record) for standing in ranking.standings
    ]
    ranks, scores = fold_ranks(ranking), pooled(record)
    rows = [
        replace(
            row,
            ranks=_middle(ranks.get(row.name)),
            front=_on_front(row, rows),
            interval=None if row.rank is None or scores is None else scores.score(row.name),
        )
        for row in rows
    ]
    return LeaderboardFacts(
        metrics,
        tuple(rows),
        len(expected),
        len(expected) - len(ranking.folds),
        "classes" if record.unseen_classes else "groups" if record.groups is not None else "rows",
    )


def fold_ranks(ranking: Ranking) -> dict[str, NDArray[np.int64]]:
    """Ranks (folds,) of each complete cell on each fold, 1 for the best; equals share the best of their places."""
    complete = ranking.ranked()
    if not complete:
        return {}
    sign = -1 if ranking.metric.greater_is_better else 1
    scores = np.array(
        [[s.folds[key].scores[ranking.metric.name] for key in ranking.folds] for s in complete]
    )
    loss = (sign * scores).round(12)
    ranks = 1 + (loss[None] < loss[:, None]).sum(axis=1)
    return {s.cell.name: row for s, row in zip(complete, ranks, strict=True)}


def _middle(ranks: NDArray[np.int64] | None) -> tuple[int, float, int] | None:
    return None if ranks is None else (int(ranks.min()), float(np.median(ranks)), int(ranks.max()))


def _on_front(row: Row, rows: Sequence[Row]) -> bool:
    """Among complete cells other than baselines; rows are in order of their score, best first."""
    if row.rank is None or row.kind == "baseline":
        return False
    rivals = (other for other in rows if other.rank is not None and other.kind != "baseline")
    return not any(
        (other.rank, other.cost.seconds) != (row.rank, row.cost.seconds)
        and (other.rank or 0) <= row.rank
        and other.cost.seconds <= row.cost.seconds
        for other in rivals
    )


def charts(board: LeaderboardFacts) -> dict[str, Chart]:
    """Fold scores of the first cells and of the baselines; and cells by cost and score."""
    shown = [row for position, row in enumerate(board.rows)
             if row.by_fold and (position < CHART_ROWS or row.kind == "baseline")]
    return ({"leaderboard": _scores_chart(board, shown)} if shown else {}) | _front_chart(board)


def _scores_chart(board: LeaderboardFacts, shown: Sequence[Row]) -> Chart:
    metric = metric_label(board.metrics[0].name)
    spec = fold_strips(
        [(row.name, row.kind, row.scores[0].mean, row.by_fold) for row in shown], metric, zero=False
    )
    best = shown[0]
    label = (f"{metric} of {count(len(shown), 'cell')} on each fold; highest in the list is {clean(best.name)} "
             f"with {plus_minus(best.scores[0])}.")
    return Chart(spec, label, "One dot for each fold, a bar at the mean.")


def _front_chart(board: LeaderboardFacts) -> dict[str, Chart]:
    """Nothing where costs were not measured, or there is nothing to choose from."""
    cells = [
        row
        for row in board.rows
        if row.rank is not None and row.kind != "baseline" and row.cost.seconds > 0
    ]
    if len(cells) < 2:
        return {}
    metric, best = metric_label(board.metrics[0].name), [row for row in cells if row.front]
    cheapest = min(best, key=lambda row: row.cost.seconds)
    spec = front(
        [Dot(row.name, row.kind, row.cost.seconds, row.scores[0].mean, row.front) for row in cells],
        "seconds to encode, fit and predict one fold (logarithmic)",
        metric,
    )
    label = (f"{metric} of {count(len(cells), 'cell')} against their cost. On the front: from {clean(cheapest.name)} "
             f"({duration(cheapest.cost.seconds)}) to {clean(best[0].name)} ({duration(best[0].cost.seconds)}).")
    caption = ("Full dots on the line: no other cell is both cheaper and better. Pale dots: another cell is at "
               "least as good for less.")
    return {"front": Chart(spec, label, caption)}


def _row(
    standing: Standing,
    ranking: Ranking,
    metrics: Iterable[MetricRecord],
    expected: int,
    record: RunRecord,
) -> Row:
    entries = standing.folds.values()
    name = ranking.metric.name
    by_fold = tuple(
        (key, standing.folds[key].scores[name])
        for key in ranking.folds
        if key in standing.folds and isfinite(standing.folds[key].scores.get(name, nan))
    )
    return Row(
        rank=standing.rank,
        name=standing.cell.name,
        kind=standing.kind,
        scores=tuple(
            spread(entry.scores.get(metric.name, nan) for entry in entries) for metric in metrics
        ),
        by_fold=by_fold,
        done=len(entries),
        parameters=_chosen(entry.parameters for entry in entries),
        cost=_cost(list(entries)),
        note=_note(standing, expected, record),
    )


def _cost(entries: Sequence[FoldRecord]) -> Cost:
    return Cost(*(spread(values).mean for values in (
        [entry.encode_seconds for entry in entries], [entry.fit_seconds for entry in entries],
        [entry.predict_seconds for entry in entries], [entry.feature_bytes for entry in entries],
        [nan if entry.model_bytes is None else entry.model_bytes for entry in entries])))


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
    return (
        f"only {done} of {expected} folds" if done < expected else "score not defined on every fold"
    )


SECTION = Section("Leaderboard", facts, charts)
