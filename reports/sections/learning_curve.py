"""What the best cells make of fewer labels, against one another on the same folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from reports.analysis.ranking import Comparison, Ranking, rank_cells
from reports.analysis.standing import Kind, Spread, Standing
from reports.analysis.statistics import corrected_resampled_interval
from reports.charts.curves import Curve, curves, legend
from reports.follow_up_record import CurveRecord
from reports.record import RunRecord
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

    @property
    def has_gains(self) -> bool:
        """Whether any fusion is compared with a single modality."""
        points = chain.from_iterable(line.points for line in self.lines)
        return any(point is not None and point.gain is not None for point in points)


def facts(record: RunRecord) -> LearningCurveFacts | None:
    """The curve of every chosen cell, best at the largest share first; None without curves."""
    if not record.learning_curve:
        return None
    rankings = [_ranking(curve, record) for curve in record.learning_curve]
    points = [_points(ranking) for ranking in rankings]
    kinds: dict[str, Kind] = {}
    for ranking in reversed(rankings):
        for standing in ranking.ranked():
            kinds.setdefault(standing.cell.name, standing.kind)
    return LearningCurveFacts(
        record.metric,
        rankings[0].metric.greater_is_better,
        tuple(curve.share for curve in record.learning_curve),
        tuple(_mean_labels(curve) for curve in record.learning_curve),
        tuple(
            Line(name, kind, tuple(at_share.get(name) for at_share in points))
            for name, kind in kinds.items()
        ),
    )


def _mean_labels(curve: CurveRecord) -> float:
    """Mean number of labelled training rows in a fold; 0 without a fold."""
    return sum(entry.n_train for entry in curve.folds) / max(len(curve.folds), 1)


def _ranking(curve: CurveRecord, record: RunRecord) -> Ranking:
    """Cells at one share.

    Intervals count all training rows of a fold: what folds share of them is what correlates.
    """
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
    low, high = (ranking.metric.on_scale(end) for end in (interval.low, interval.high))
    return Point(standing.score, low, high, gain)


def charts(curve: LearningCurveFacts) -> dict[str, Chart]:
    """Score against the number of labelled rows."""
    lines = [_drawn(line, curve.labels) for line in curve.lines]
    spec = curves(lines, "labelled training rows", metric_label(curve.metric), log_x=True)
    first = next((point for point in curve.lines[0].points if point), None)
    label = (
        f"{metric_label(curve.metric)} of {count(len(lines), 'cell')} against the number of "
        f"labelled rows, {curve.labels[0]:.0f} to {curve.labels[-1]:.0f}; "
        f"{clean(curve.lines[0].name)} begins at {figure(first.score.mean if first else None)}."
    )
    caption = (
        "A point at the mean over folds, a band for its 95 % interval. "
        "The number of labelled rows is on a logarithmic axis."
    )
    return {"learning_curve": Chart(spec, label, caption, legend(lines))}


def _drawn(line: Line, labels: Sequence[float]) -> Curve:
    """The line where its cell has a score, against the number of labelled rows."""
    points = [
        (number, point.score.mean, point.low, point.high)
        for number, point in zip(labels, line.points, strict=True)
        if point
    ]
    return Curve(line.name, line.kind, points)


SECTION = Section("Fewer labels", facts, charts)
