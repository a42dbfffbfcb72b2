"""Every cell with its scores over folds, chosen parameters and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.analysis.ranking import rank_cells
from reports.answer.leaderboard_rows import Row, leaderboard_rows
from reports.charts.encoding import shapes_of
from reports.charts.fold_strips import fold_strips
from reports.charts.front import Dot, front
from reports.record import MetricRecord, RunRecord
from reports.section import Chart, Section
from reports.sentences.findings import COST_OF
from reports.sentences.intervals import plus_minus
from reports.units import duration
from reports.wording import clean, count, listed, metric_label, short

CHART_ROWS = 30


@dataclass(frozen=True)
class LeaderboardFacts:
    """All rows, best first.

    Parameters
    ----------
    metrics : the ranking metric first.
    folds : what a cell should have; on `excluded` of them the ranking metric is defined for none.
    units : what is drawn for the intervals: "rows", or whole "groups" or "classes".
    """

    metrics: tuple[MetricRecord, ...]
    rows: tuple[Row, ...]
    folds: int
    excluded: int
    units: str


def facts(record: RunRecord) -> LeaderboardFacts | None:
    """Rows of all cells; None for a run without cells."""
    if not record.cells:
        return None
    ranking = rank_cells(record)
    metrics = (
        ranking.metric,
        *(metric for metric in record.metrics if metric.name != record.metric),
    )
    expected = {(entry.repeat, entry.fold) for entry in record.folds}
    return LeaderboardFacts(
        metrics,
        leaderboard_rows(record, ranking, metrics, len(expected)),
        len(expected),
        len(expected) - len(ranking.folds),
        ranking.unit_names[1],
    )


def charts(board: LeaderboardFacts) -> dict[str, Chart]:
    """Fold scores of the first cells; and cells by cost and score.

    Baselines are told in the caption: drawn, they would squeeze all others into a corner.
    """
    scored = [row for row in board.rows if row.by_fold]
    baselines = [row for row in scored if row.kind == "baseline"]
    cells = [row for row in scored if row.kind != "baseline"][:CHART_ROWS]
    shown, undrawn = (cells, baselines) if cells else (baselines, [])
    drawn = {"leaderboard": _scores_chart(board, shown, undrawn)} if shown else {}
    return drawn | _front_chart(board)


def _scores_chart(board: LeaderboardFacts, shown: Sequence[Row], undrawn: Sequence[Row]) -> Chart:
    metric = metric_label(board.metrics[0].name)
    spec = fold_strips(
        [(row.name, row.kind, row.scores[0].mean, row.by_fold) for row in shown], metric, zero=False
    )
    best = shown[0]
    label = (
        f"{metric} of {count(len(shown), 'cell')} on each fold; highest in the list is "
        f"{clean(best.name)} with {plus_minus(best.scores[0])}."
    )
    said = ["One mark for each fold, a bar at the mean.", shapes_of(row.kind for row in shown)]
    if undrawn:
        means = listed(f"{short(row.name)} {plus_minus(row.scores[0])}" for row in undrawn)
        said.append(f"Not drawn, so that the others stay apart: the baseline {means}.")
    return Chart(spec, label, " ".join(filter(None, said)))


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
        [_dot(row) for row in cells],
        f"seconds to {COST_OF} (logarithmic)",
        metric,
    )
    label = (
        f"{metric} of {count(len(cells), 'cell')} against their cost. On the front: from "
        f"{clean(cheapest.name)} ({duration(cheapest.cost.seconds)}) to {clean(best[0].name)} "
        f"({duration(best[0].cost.seconds)})."
    )
    caption = (
        "Full marks on the line: no other cell is both cheaper and better; on a narrow page their "
        "ranks stand for their names. Pale ones: another cell is at least as good for less. "
        + shapes_of(row.kind for row in cells)
    )
    return {"front": Chart(spec, label, caption.strip())}


def _dot(row: Row) -> Dot:
    assert row.rank is not None
    mean = row.scores[0].mean
    return Dot(row.rank, row.name, row.kind, row.cost.seconds, mean, row.front)


SECTION = Section("Leaderboard", facts, charts)
