"""Cells by cost and score, with the front of those that nothing beats on both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from reports.charts.encoding import (
    HEIGHT,
    MIDDLE_GREY,
    Values,
    coloured,
    layer,
    specification,
    tooltips,
)
from reports.wording import figure, short


class Dot(NamedTuple):
    """One cell in a plane: `front` where no other is both cheaper and better."""

    name: str
    kind: str
    x: float
    y: float
    front: bool


def front(dots: Sequence[Dot], x_title: str, y_title: str) -> dict[str, Any]:
    """Cells by cost (logarithmic) and score; those on the front are named and joined by a line."""
    middle = (min(dot.x for dot in dots) * max(dot.x for dot in dots)) ** 0.5
    values = list(map(_value, dots))
    best = [value for value in values if value["front"]]
    cheap = [value for value in best if value["x"] < middle]
    dear = [value for value in best if value["x"] >= middle]
    axes = _axes(x_title, y_title)
    dotted = {
        **axes,
        "color": coloured(),
        "tooltip": tooltips("row", "shown", "cost"),
        "opacity": {"condition": {"test": "datum.front", "value": 1}, "value": 0.4},
    }
    line = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5, "color": MIDDLE_GREY}
    layers = [
        layer(best, line, axes),
        layer(values, {"type": "circle", "size": 90}, dotted),
        _names(cheap, "left", axes),
        _names(dear, "right", axes),
    ]
    return specification({"layer": layers, "height": HEIGHT})


def _value(dot: Dot) -> dict[str, Any]:
    return {
        "row": dot.name,
        "kind": dot.kind,
        "x": dot.x,
        "y": dot.y,
        "front": dot.front,
        "shown": figure(dot.y),
        "cost": f"{dot.x:.3g} s",
        "label": short(dot.name, 34),
    }


def _axes(x_title: str, y_title: str) -> dict[str, Any]:
    return {
        "x": {
            "field": "x",
            "type": "quantitative",
            "title": x_title,
            "axis": {"grid": False, "format": "~g"},
            "scale": {"type": "log", "nice": False, "padding": 16},
        },
        "y": {
            "field": "y",
            "type": "quantitative",
            "title": y_title,
            "scale": {"zero": False, "padding": 18},
        },
    }


def _names(values: Values, align: Literal["left", "right"], axes: dict[str, Any]) -> dict[str, Any]:
    """Names that begin, or end, beside their dots, so that they stay inside the chart."""
    mark = {
        "type": "text",
        "align": align,
        "dx": 8 if align == "left" else -8,
        "dy": -10,
        "fontSize": 11,
        "limit": 210,
    }
    return layer(values, mark, {**axes, "text": {"field": "label", "type": "nominal"}})
