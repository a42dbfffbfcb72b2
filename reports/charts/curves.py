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
    specification,
    tooltips,
)
from reports.wording import distinct, figure

_LEGEND = {
    "orient": "top",
    "title": None,
    "labelFontSize": 12,
    "labelLimit": 340,
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
    names = distinct([line.name for line in lines], 60)
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
            "mark": {"type": "circle", "size": 50, "opacity": 1},
            "encoding": {**of_line, "tooltip": tooltips("row", "at", "shown")},
        },
    ]
    return specification({"data": {"values": values}, "layer": layers, "height": HEIGHT})


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
        "scale": {"domain": names},
        "legend": _LEGEND,
    }


def _diagonal() -> dict[str, Any]:
    return layer(
        [{"x": 0, "y": 0}, {"x": 1, "y": 1}],
        {"type": "line", "strokeDash": [4, 3], "strokeWidth": 1, "color": MIDDLE_GREY},
        {axis: {"field": axis, "type": "quantitative"} for axis in ("x", "y")},
    )
