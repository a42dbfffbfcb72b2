"""What the best cells make of fewer labels, against one another on the same folds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reports.analysis.ranking import Comparison, Kind, Ranking, Spread, Standing, rank_cells
from reports.analysis.statistics import corrected_resampled_interval
from reports.charts.drawing import Curve, curves
from reports.record import CurveRecord, RunRecord
from reports.section import Chart, Section
from reports.wording import clean, count, figure, metric_label


@dataclass(frozen=True)
class Point:
    """One cell at one share.

    Parameters
    ----------
    score : over folds; low, high : 95 % interval of its mean (None for one fold).
    gain : against the best cell there that learns from labelled rows of one modality alone; None
        for such cells.
    """

    score: Spread
    low: float | None
    high: float | None
    gain: Comparison | None


@dataclass(frozen=True)
class Line:
    """One cell; `points` has one for each share, None where it failed."""

    name: str
    kind: Kind
    points: tuple[Point | None, ...]


@dataclass(frozen=True)
class LearningCurveFacts:
    """Scores by share of the training labels.

    Parameters
    ----------
    shares, labels : of the training rows, and the mean number of labelled rows in a fold, for each
        point.
    """

    metric: str
    greater_is_better: bool
    shares: tuple[float, ...]
    labels: tuple[float, ...]
    lines: tuple[Line, ...]


def facts(record: RunRecord) -> LearningCurveFacts | None:
    """The curve of every chosen cell, best at the largest share first; None where the grid asked for none."""
    if not record.learning_curve:
        return None
    rankings = [_ranking(one, record) for one in record.learning_curve]
    points = [_points(ranking) for ranking in rankings]
    names = dict.fromkeys(
        standing.cell.name for ranking in reversed(rankings) for standing in ranking.ranked()
    )
    kinds = {
        standing.cell.name: standing.kind for ranking in rankings for standing in ranking.standings
    }
    labels = [[entry.n_train for entry in one.folds] for one in record.learning_curve]
    return LearningCurveFacts(
        record.metric,
        rankings[0].metric.greater_is_better,
        tuple(one.share for one in record.learning_curve),
        tuple(sum(many) / max(len(many), 1) for many in labels),
        tuple(
            Line(name, kinds[name], tuple(found.get(name) for found in points)) for name in names
        ),
    )


def _ranking(curve: CurveRecord, record: RunRecord) -> Ranking:
    """Cells at one share. Intervals count all training rows of a fold: what folds share of them is what correlates."""
    sizes = {(entry.repeat, entry.fold): entry.n_train for entry in record.folds}
    names = {entry.cell for entry in curve.folds}
    return rank_cells(
        replace(
            record,
            cells=tuple(cell for cell in record.cells if cell.name in names),
            failures=(),
            folds=tuple(
                replace(entry, n_train=sizes[entry.repeat, entry.fold]) for entry in curve.folds
            ),
        )
    )


def _points(ranking: Ranking) -> dict[str, Point]:
    best = ranking.best("image", "text")
    return {standing.cell.name: _point(standing, best, ranking) for standing in ranking.ranked()}


def _point(standing: Standing, best: Standing | None, ranking: Ranking) -> Point:
    entries = [standing.folds[key] for key in ranking.folds]
    interval = corrected_resampled_interval(
        [entry.scores[ranking.metric.name] for entry in entries],
        [entry.n_train for entry in entries],
        [len(entry.rows) for entry in entries],
    )
    gain = ranking.compare(standing, best) if best and standing.kind == "fusion" else None
    return Point(standing.score, interval.low, interval.high, gain)


def charts(curve: LearningCurveFacts) -> dict[str, Chart]:
    """Score against the number of labelled rows."""
    lines = [
        Curve(
            line.name,
            line.kind,
            [
                (number, point.score.mean, point.low, point.high)
                for number, point in zip(curve.labels, line.points, strict=True)
                if point
            ],
        )
        for line in curve.lines
    ]
    spec = curves(lines, "labelled training rows", metric_label(curve.metric), log_x=True)
    first = next((point for point in curve.lines[0].points if point), None)
    label = (f"{metric_label(curve.metric)} of {count(len(lines), 'cell')} against the number of labelled rows, "
             f"{curve.labels[0]:.0f} to {curve.labels[-1]:.0f}; {clean(curve.lines[0].name)} begins at "
             f"{figure(first.score.mean if first else None)}.")
    return {"learning_curve": Chart(spec, label, "A point at the mean over folds, a band for its 95 % interval. "
                                                 "The number of labelled rows is on a logarithmic axis.")}


SECTION = Section("Fewer labels", facts, charts)
