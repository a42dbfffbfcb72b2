"""Whether a probability of 80 % is right in 80 % of the cases: reliability curves, errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.analysis.reliability import Calibration, Reliability, calibration
from reports.charts.curves import Curve, curves, legend
from reports.record import RunRecord
from reports.section import Chart, Section
from reports.wording import clean, figure, short

_LEAST = 0.002  # share of predictions below which a bin is noise and is not drawn


@dataclass(frozen=True)
class CalibrationFacts:
    """The best cell of each modality and fusion, best first; `drawn`: the best of each kind."""

    cells: tuple[Calibration, ...]
    drawn: tuple[str, ...]


def facts(record: RunRecord) -> CalibrationFacts | None:
    """Calibration of the best cells; None without a complete cell that uses a picture or a text."""
    cells = calibration(record)
    first: dict[str, str] = {}
    for cell in cells:
        first.setdefault(cell.kind, cell.cell)
    return CalibrationFacts(cells, tuple(first.values())) if cells else None


def charts(calibrated: CalibrationFacts) -> dict[str, Chart]:
    """Reliability curves as the models give their probabilities, and after temperature scaling."""
    shown = [cell for cell in calibrated.cells if cell.cell in calibrated.drawn]
    drawn = {"reliability": _chart([(cell, cell.plain) for cell in shown], "as they are")}
    scaled = [(cell, cell.scaled) for cell in shown if cell.scaled is not None]
    if scaled:
        drawn["reliability-scaled"] = _chart(scaled, "after temperature scaling")
    return drawn


def _chart(shown: Sequence[tuple[Calibration, Reliability]], when: str) -> Chart:
    lines = [_curve(cell, reliability) for cell, reliability in shown]
    errors = "; ".join(
        f"{clean(cell.cell)}: expected calibration error {figure(reliability.ece)}"
        for cell, reliability in shown
    )
    return Chart(
        curves(
            lines,
            f"probability of the predicted class, {when}",
            "share that is right",
            diagonal=True,
        ),
        f"Reliability of probabilities {when}. {errors}.",
        f"Probabilities {when}. On the dashed line they mean what they say; "
        "below it a cell is too sure.",
        legend(lines),
    )


def _gist(calibrated: CalibrationFacts) -> str:
    """How far the best cell's probabilities are off."""
    best = calibrated.cells[0]
    error = f"{short(best.cell)}: expected calibration error {figure(best.plain.ece)}"
    if best.scaled is None:
        return error
    return f"{error}, {figure(best.scaled.ece)} after temperature scaling"


def _curve(cell: Calibration, reliability: Reliability) -> Curve:
    points = [point for point in reliability.points if point.share >= _LEAST]
    return Curve(
        cell.cell, cell.kind, [(point.confidence, point.accuracy, None, None) for point in points]
    )


SECTION = Section("Calibration", facts, charts, collapsed=True, gist=_gist)
