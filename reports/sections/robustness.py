"""How scores fall when a share of the test rows lacks a modality, or has that of another row."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from reports.analysis.contribution import Change, RobustnessCurve, robustness
from reports.analysis.ranking import rank_cells
from reports.analysis.standing import Kind, Standing
from reports.charts.curves import Curve, curves
from reports.record import RunRecord
from reports.section import Chart, Section
from reports.wording import clean, figure, metric_label

_NOUN = {"image": "picture", "text": "text"}
_CHANGES: dict[Change, str] = {
    "missing": "marked missing",
    "swapped": "exchanged for another row's",
}


@dataclass(frozen=True)
class RobustnessFacts:
    """Curves of every probed cell.

    `drawn` are the cells in the chart: the best fusion and single modalities.
    """

    metric: str
    greater_is_better: bool
    shares: tuple[float, ...]
    curves: tuple[RobustnessCurve, ...]
    drawn: tuple[str, ...]


def facts(record: RunRecord) -> RobustnessFacts | None:
    """Curves from the second phase; None where nothing was probed."""
    curves = robustness(record)
    if not curves:
        return None
    ranking = rank_cells(record)
    probed = {curve.cell for curve in curves}
    kinds: tuple[Kind, ...] = ("fusion", "image", "text")
    best = [_best_of(ranking.ranked(kind), probed) for kind in kinds]
    shares: set[float] = set()
    shares.update(*({point.share for point in curve.points} for curve in curves))
    return RobustnessFacts(
        ranking.metric.name,
        ranking.metric.greater_is_better,
        tuple(sorted(shares)),
        curves,
        tuple(name for name in best if name),
    )


def _best_of(standings: Sequence[Standing], probed: Container[str]) -> str | None:
    """The first of them that was probed."""
    names = (standing.cell.name for standing in standings)
    return next((name for name in names if name in probed), None)


def charts(robust: RobustnessFacts) -> dict[str, Chart]:
    """One chart for each change, coloured by the modality that is altered."""
    drawn = {}
    for change, words in _CHANGES.items():
        shown = [
            curve
            for curve in robust.curves
            if curve.change == change and curve.cell in robust.drawn
        ]
        if shown:
            drawn[f"robustness-{change}"] = _chart(shown, words, metric_label(robust.metric))
    return drawn


def _chart(shown: list[RobustnessCurve], words: str, metric: str) -> Chart:
    lines = [
        Curve(
            f"{_NOUN[curve.modality]} of {curve.cell}",
            curve.modality,
            [(point.share, point.score.mean, None, None) for point in curve.points],
        )
        for curve in shown
    ]
    falls = "; ".join(
        f"{clean(curve.cell)} with every {_NOUN[curve.modality]} {words}: "
        f"{figure(curve.points[0].score.mean)} to {figure(curve.points[-1].score.mean)}"
        for curve in shown
    )
    return Chart(
        curves(lines, "share of test rows altered", metric),
        f"{metric} by share of rows altered. {falls}.",
        f"Blue: the picture is {words}; orange: the text.",
    )


SECTION = Section("Robustness", facts, charts)
