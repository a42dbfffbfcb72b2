"""How scores fall when a share of the test rows lacks a modality, or has that of another row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reports.analysis.contribution import RobustnessCurve, robustness
from reports.analysis.ranking import rank_cells
from reports.charts.drawing import Curve, curves
from reports.record import RunRecord
from reports.section import Chart, Section
from reports.wording import clean, figure, metric_label

_NOUN = {"image": "picture", "text": "text"}
_CHANGES: dict[Literal["missing", "swapped"], str] = {
    "missing": "marked missing", "swapped": "exchanged for another row's"}


@dataclass(frozen=True)
class RobustnessFacts:
    """Curves of every probed cell; `drawn` are the cells in the chart: the best fusion and single modalities."""

    metric: str
    greater_is_better: bool
    shares: tuple[float, ...]
    curves: tuple[RobustnessCurve, ...]
    drawn: tuple[str, ...]


def facts(record: RunRecord) -> RobustnessFacts | None:
    """Curves from the second phase; None where nothing was probed."""
    found = robustness(record)
    if not found:
        return None
    ranking = rank_cells(record)
    probed = {curve.cell for curve in found}
    best = [next((s.cell.name for s in ranking.ranked(kind) if s.cell.name in probed), None)
            for kind in ("fusion", "image", "text")]
    shares = sorted({point.share for curve in found for point in curve.points})
    return RobustnessFacts(
        ranking.metric.name,
        ranking.metric.greater_is_better,
        tuple(shares),
        found,
        tuple(name for name in best if name),
    )


def charts(found: RobustnessFacts) -> dict[str, Chart]:
    """One chart for each change, coloured by the modality that is altered."""
    drawn = {}
    for change, words in _CHANGES.items():
        shown = [
            curve for curve in found.curves if curve.change == change and curve.cell in found.drawn
        ]
        if shown:
            drawn[f"robustness-{change}"] = _chart(shown, words, metric_label(found.metric))
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
        f"{clean(curve.cell)} with every {_NOUN[curve.modality]} {words}: {figure(curve.points[0].score.mean)} to "
        f"{figure(curve.points[-1].score.mean)}" for curve in shown)
    return Chart(
        curves(lines, "share of test rows altered", metric),
        f"{metric} by share of rows altered. {falls}.",
        f"Blue: the picture is {words}; orange: the text.",
    )


SECTION = Section("Robustness", facts, charts)
