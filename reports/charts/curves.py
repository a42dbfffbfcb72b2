"""Lines through points, with bands for their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from reports.charts.encoding import (
    HEIGHT,
    MIDDLE_GREY,
    Values,
    coloured,
    layer,
    shaped,
    specification,
    tooltips,
)
from reports.section import LegendLine
from reports.wording import distinct, figure

# One for each line: what it tells apart the colours do not. Lines beyond begin again.
DASHES = ((1, 0), (6, 3), (2, 2), (9, 3, 2, 3), (3, 6), (12, 4))

_LEGEND = {
    "orient": "top",
    "title": None,
    "labelFontSize": 12,
    "labelLimit": 600,
    "columns": 1,
    "symbolStrokeWidth": 2,
    "symbolSize": 220,
}


class Curve(NamedTuple):
    """A line through points (x, y, low, high), low and high being None without an interval."""

    name: str
    kind: str
    points: Sequence[tuple[float, float, float | None, float | None]]


def curves(
    lines: Sequence[Curve], x_title: str, y_title: str, log_x: bool = False, diagonal: bool = False
) -> dict[str, Any]:
    """Lines with points and, where there are intervals, bands; kinds choose the colour.

    Names choose the dashes. `diagonal` draws the line y = x over the unit square (reliability
    curves).
    """
    names = _names(lines)
    values = _values(names, lines)
    axes = _axes(x_title, y_title, log_x, diagonal)
    of_line = {**axes, "color": coloured(), "detail": {"field": "row", "type": "nominal"}}
    layers = [_diagonal()] if diagonal else []
    if any(value["low"] is not None for value in values):
        band = {**of_line, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
        layers.append({"mark": {"type": "area", "opacity": 0.13}, "encoding": band})
    layers += [
        {
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {**of_line, "strokeDash": _dashes(names)},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1},
            "encoding": {
                **of_line,
                "shape": shaped(),
                "tooltip": tooltips("row", "at", "shown", at=x_title, shown=y_title),
            },
        },
    ]
    return specification({"data": {"values": values}, "layer": layers, "height": HEIGHT})


def legend(lines: Sequence[Curve]) -> tuple[LegendLine, ...]:
    """The lines of such a chart, as a page lists them beside it."""
    return tuple(
        LegendLine(name, line.kind, " ".join(map(str, _dash(number))))
        for number, (name, line) in enumerate(zip(_names(lines), lines, strict=True))
    )


def _names(lines: Sequence[Curve]) -> list[str]:
    return distinct([line.name for line in lines], 100)


def _dash(number: int) -> tuple[int, ...]:
    return DASHES[number % len(DASHES)]


def _values(names: Sequence[str], lines: Sequence[Curve]) -> Values:
    """One value for every point of every line."""
    values = []
    for name, line in zip(names, lines, strict=True):
        values += [
            {
                "row": name,
                "kind": line.kind,
                "x": x,
                "y": y,
                "low": low,
                "high": high,
                "shown": figure(y),
                "at": f"{x:g}",
            }
            for x, y, low, high in line.points
        ]
    return values


def _axes(x_title: str, y_title: str, log_x: bool, unit: bool) -> dict[str, Any]:
    scale: dict[str, Any] = {"domain": [0, 1]} if unit else {"zero": False}
    return {
        "x": {
            "field": "x",
            "type": "quantitative",
            "title": x_title,
            "scale": {"type": "log", "nice": False} if log_x else scale,
            "axis": {"format": "~s" if log_x else "", "tickCount": 6},
        },
        "y": {"field": "y", "type": "quantitative", "title": y_title, "scale": scale},
    }


def _dashes(names: Sequence[str]) -> dict[str, Any]:
    return {
        "field": "row",
        "type": "nominal",
        "sort": names,
        "scale": {"domain": names, "range": [_dash(number) for number in range(len(names))]},
        "legend": _LEGEND,
    }


def _diagonal() -> dict[str, Any]:
    return layer(
        [{"x": 0, "y": 0}, {"x": 1, "y": 1}],
        {"type": "line", "strokeDash": [4, 3], "strokeWidth": 1, "color": MIDDLE_GREY},
        {axis: {"field": axis, "type": "quantitative"} for axis in ("x", "y")},
    )
