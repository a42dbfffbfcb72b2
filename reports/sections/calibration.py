"""Whether a probability of 80 % is right in 80 % of the cases: reliability curves and their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.analysis.reliability import Calibration, Reliability, calibration
from reports.charts.drawing import Curve, curves
from reports.record import RunRecord
from reports.section import Chart, Section
from reports.wording import clean, figure

_LEAST = 0.002  # share of predictions below which a bin is noise and is not drawn


@dataclass(frozen=True)
class CalibrationFacts:
    """The best cell of each modality and of each fusion, best first; `drawn`: the best of each kind."""

    cells: tuple[Calibration, ...]
    drawn: tuple[str, ...]


def facts(record: RunRecord) -> CalibrationFacts | None:
    """Calibration of the best cells; None without a complete cell that uses a picture or a text."""
    found = calibration(record)
    first: dict[str, str] = {}
    for one in found:
        first.setdefault(one.kind, one.cell)
    return CalibrationFacts(found, tuple(first.values())) if found else None


def charts(found: CalibrationFacts) -> dict[str, Chart]:
    """Reliability curves as the models give their probabilities, and after temperature scaling."""
    shown = [one for one in found.cells if one.cell in found.drawn]
    drawn = {"reliability": _chart([(one, one.plain) for one in shown], "as they are")}
    scaled = [(one, one.scaled) for one in shown if one.scaled is not None]
    if scaled:
        drawn["reliability-scaled"] = _chart(scaled, "after temperature scaling")
    return drawn


def _chart(shown: Sequence[tuple[Calibration, Reliability]], when: str) -> Chart:
    lines = [
        Curve(
            one.cell,
            one.kind,
            [
                (point.confidence, point.accuracy, None, None)
                for point in curve.points
                if point.share >= _LEAST
            ],
        )
        for one, curve in shown
    ]
    errors = "; ".join(
        f"{clean(one.cell)}: expected calibration error {figure(curve.ece)}" for one, curve in shown
    )
    return Chart(
        curves(
            lines,
            f"probability of the predicted class, {when}",
            "share that is right",
            diagonal=True,
        ),
        f"Reliability of probabilities {when}. {errors}.",
        f"Probabilities {when}. On the dashed line they mean what they say; below it a cell is too sure.",
    )


SECTION = Section("Calibration", facts, charts)
