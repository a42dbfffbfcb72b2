"""The leaderboard's rows: a cell's scores over folds, chosen parameters, ranks and cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan

import numpy as np
from numpy.typing import NDArray

from reports.analysis.bootstrap import pooled
from reports.analysis.ranking import Ranking
from reports.analysis.standing import Kind, Spread, Standing, spread
from reports.answer.verdict import verdict
from reports.fold_record import FoldKey, FoldRecord
from reports.record import MetricRecord, RunRecord
from reports.wording import Ends, count


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
        share the best of theirs); None for an incomplete cell.
    interval : bootstrap interval of the score of the pooled out-of-fold predictions; for the winner
        the interval of what choosing among all cells reaches; None for an incomplete cell.
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
    interval: Ends | None = None
    front: bool = False
    note: str | None = None


def leaderboard_rows(
    record: RunRecord, ranking: Ranking, metrics: Sequence[MetricRecord], expected: int
) -> tuple[Row, ...]:
    """Rows of all cells in the ranking's order; each should have `expected` folds."""
    rows = [_row(standing, ranking, metrics, expected, record) for standing in ranking.standings]
    ranks, intervals = fold_ranks(ranking), _intervals(record, ranking)
    return tuple(
        replace(
            row,
            ranks=_middle(ranks.get(row.name)),
            front=_on_front(row, rows),
            interval=intervals.get(row.name),
        )
        for row in rows
    )


def _intervals(record: RunRecord, ranking: Ranking) -> dict[str, Ends]:
    """Of each complete cell its own; of the winner that of choosing it, where it was chosen."""
    scores, winner = pooled(record), ranking.best("image", "text", "fusion")
    if scores is None:
        return {}
    names = [standing.cell.name for standing in ranking.ranked()]
    intervals: dict[str, Ends] = {name: scores.score(name) for name in names}
    reached = verdict(record)
    choosing = reached.procedures.get("all")
    if winner is None or choosing is None or reached.score is None:
        return intervals
    if winner.cell.name in choosing.candidates:
        intervals[winner.cell.name] = reached.score
    return intervals


def fold_ranks(ranking: Ranking) -> dict[str, NDArray[np.int64]]:
    """Ranks (folds,) of each complete cell on each fold, 1 for the best.

    Equals share the best of their ranks.
    """
    complete = ranking.ranked()
    if not complete:
        return {}
    sign = -1 if ranking.metric.greater_is_better else 1
    scores = np.array(
        [
            [standing.folds[key].scores[ranking.metric.name] for key in ranking.folds]
            for standing in complete
        ]
    )
    loss = (sign * scores).round(12)
    ranks = 1 + (loss[None] < loss[:, None]).sum(axis=1)
    return {standing.cell.name: row for standing, row in zip(complete, ranks, strict=True)}


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
    return Cost(
        encode_seconds=spread(entry.encode_seconds for entry in entries).mean,
        fit_seconds=spread(entry.fit_seconds for entry in entries).mean,
        predict_seconds=spread(entry.predict_seconds for entry in entries).mean,
        feature_bytes=spread(entry.feature_bytes for entry in entries).mean,
        model_bytes=spread(
            nan if entry.model_bytes is None else entry.model_bytes for entry in entries
        ).mean,
    )


def _chosen(
    settings: Iterable[Mapping[str, object]],
) -> tuple[tuple[str, tuple[tuple[str, int], ...]], ...]:
    counts: dict[str, Counter[str]] = {}
    for setting in settings:
        for name, value in setting.items():
            counts.setdefault(str(name), Counter())[_value(value)] += 1
    return tuple((name, tuple(counter.most_common())) for name, counter in counts.items())


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _note(standing: Standing, expected: int, record: RunRecord) -> str | None:
    failures = [failure for failure in record.failures if failure.cell == standing.cell.name]
    if failures:
        return f"failed: {failures[0].error}"
    if standing.complete:
        return None
    done = len(standing.folds)
    return (
        f"only {done} of {count(expected, 'fold')}"
        if done < expected
        else "score not defined on every fold"
    )
