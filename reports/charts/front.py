"""Cells by cost and score, with the front of those that nothing beats on both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

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
from reports.units import duration
from reports.wording import figure, short

LINE = 13  # pixels from a name to the one below it
NAMED = HEIGHT // LINE - 1  # more names than this do not fit under each other
# On a plot too narrow for names their ranks stand in their place.
_WORDS = "width < 420 ? datum.rank : width < 800 ? datum.label : datum.row"


class Dot(NamedTuple):
    """One cell in a plane: `front` where no other is both cheaper and better."""

    rank: int
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
    domain = _domain([dot.y for dot in dots])
    named = list(_apart(best, domain))
    axes = _axes(x_title, y_title, domain)
    dotted = {
        **axes,
        "color": coloured(),
        "shape": shaped(),
        "tooltip": tooltips("rank", "row", "shown", "cost", shown=y_title, cost="time"),
        "opacity": {"condition": {"test": "datum.front", "value": 1}, "value": 0.4},
    }
    line = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5, "color": MIDDLE_GREY}
    layers = [
        layer(best, line, axes),
        layer(values, {"type": "point", "filled": True, "size": 90}, dotted),
        _names([value for value in named if value["x"] < middle], "left", axes),
        _names([value for value in named if value["x"] >= middle], "right", axes),
    ]
    return specification({"layer": layers, "height": HEIGHT})


def _domain(ys: Sequence[float]) -> tuple[float, float]:
    """Ends of the score axis, with room above the best for its name."""
    low, high = min(ys), max(ys)
    room = (high - low) or abs(high) or 1.0
    return low - 0.08 * room, high + 0.12 * room


def _apart(best: Values, domain: tuple[float, float]) -> Iterator[dict[str, Any]]:
    """Dots of the front, each with the height of its name, `beside`: no two of them overlap.

    Names stand above their dots, and further down where another one is in the way: each has a line
    of its own, so that it may be as long as it likes.
    """
    per_pixel = (domain[1] - domain[0]) / HEIGHT
    last = HEIGHT - LINE
    above = 0.0
    ordered = sorted(best, key=lambda value: -value["y"])[:NAMED]
    for number, value in enumerate(ordered):
        beside = (domain[1] - value["y"]) / per_pixel - 0.8 * LINE
        lowest = last - LINE * (len(ordered) - 1 - number)
        above = min(max(beside, above + LINE if number else 0.0), lowest)
        yield {**value, "beside": domain[1] - above * per_pixel}


def _value(dot: Dot) -> dict[str, Any]:
    return {
        "row": short(dot.name, 60),
        "rank": str(dot.rank),
        "kind": dot.kind,
        "x": dot.x,
        "y": dot.y,
        "front": dot.front,
        "shown": figure(dot.y),
        "cost": duration(dot.x),
        "label": short(dot.name, 34),
    }


def _axes(x_title: str, y_title: str, domain: tuple[float, float]) -> dict[str, Any]:
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
            "scale": {"zero": False, "domain": list(domain), "nice": False},
        },
    }


def _names(values: Values, align: Literal["left", "right"], axes: dict[str, Any]) -> dict[str, Any]:
    """Names that begin, or end, beside their dots, so that they stay inside the chart."""
    mark = {
        "type": "text",
        "align": align,
        "dx": 9 if align == "left" else -9,
        "fontSize": 11,
        "text": {"expr": _WORDS},
    }
    return layer(values, mark, {**axes, "y": {**axes["y"], "field": "beside"}})
