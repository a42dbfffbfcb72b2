"""The shapes of chart that sections share, as Vega-Lite specifications.

Colours and font are left to the configuration, which is set where a chart is shown: for files in
vega.py, for the page in page.js.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from reports.record import FoldKey
from reports.wording import distinct, figure, short, signed

KINDS = [
    "image",
    "text",
    "fusion",
    "baseline",
]  # coloured by the configuration's category range, in this order
_TEXT_CLASSES = 20
_AXIS = {
    "domain": False,
    "ticks": False,
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "gridOpacity": 0.2,
    "labelPadding": 6,
    "titlePadding": 10,
}
_LEGEND = {"orient": "top", "title": None, "labelFontSize": 12, "labelLimit": 340, "columns": 1,
           "symbolStrokeWidth": 2, "symbolSize": 220}
_TITLES = {"row": "cell", "shown": "value", "percent": "% of true class", "true": "true class",
           "predicted": "predicted class"}
_CURVES_HEIGHT = 300
_MIDDLE_GREY = "#85898f"  # to be read on white and on black

Strip = tuple[str, str, float, Sequence[tuple[FoldKey, float]]]
Values = list[dict[str, Any]]


class Dot(NamedTuple):
    """One cell in a plane: `front` where no other is both cheaper and better."""

    name: str
    kind: str
    x: float
    y: float
    front: bool


class Curve(NamedTuple):
    """A line through points (x, y, low, high), low and high being None without an interval."""

    name: str
    kind: str
    points: Sequence[tuple[float, float, float | None, float | None]]


def fold_strips(
    rows: Sequence[Strip], title: str, zero: bool,
    intervals: Sequence[tuple[float | None, float | None]] = (),
) -> dict[str, Any]:
    """One line per cell: a dot for each fold, a bar at the mean, a rule for its interval.

    Parameters
    ----------
    rows : (cell, kind, mean, fold values) in the order they are drawn; kinds choose the colour.
    title : of the value axis.
    zero : draw a line at zero (the values are differences).
    intervals : one per row, or none.
    """
    labels = _two_lines([name for name, *_ in rows])
    number = signed if zero else figure
    dots = [
        {
            "row": label,
            "kind": kind,
            "value": value,
            "fold": f"repeat {key[0] + 1}, fold {key[1] + 1}",
            "shown": number(value),
        }
        for label, (_, kind, _, folds) in zip(labels, rows, strict=True)
        for key, value in folds
    ]
    means = [
        {"row": label, "kind": kind, "value": mean, "shown": number(mean), "low": low, "high": high}
        for label, (_, kind, mean, _), (low, high) in zip(
            labels, rows, intervals or [(None, None)] * len(rows), strict=True
        )
    ]
    place = {
        "y": {
            "field": "row",
            "type": "nominal",
            "sort": labels,
            "title": None,
            "axis": {
                "labelExpr": "split(datum.label, '\\n')",
                "labelLimit": 260,
                "labelLineHeight": 13,
            },
        },
        "x": {
            "field": "value",
            "type": "quantitative",
            "title": title,
            "scale": {"zero": False, "nice": True},
        },
        "color": _coloured(),
    }
    layers = [_zero_line()] if zero else []
    layers.append(_layer(dots, {"type": "circle", "size": 46, "opacity": 0.45},
                         {**place, "tooltip": _tooltips("row", "fold", "shown")}))
    if intervals and intervals[0][0] is not None:
        ends = {**place, "x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}}
        layers.append(_layer(means, {"type": "rule", "strokeWidth": 2}, ends))
    layers.append(_layer(means, {"type": "tick", "thickness": 3, "size": 20, "opacity": 1},
                         {**place, "tooltip": _tooltips("row", "shown")}))
    return _spec({"layer": layers, "height": 34 * len(labels)})


def heat_map(classes: Sequence[str], matrix: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Confusion matrix (K, K) as shares of the true class; figures in the squares where they fit.

    The shade is one colour at varying opacity, so that it works on light and dark grounds.
    """
    labels = distinct(classes, 24)
    squares = [
        {
            "true": labels[i],
            "predicted": labels[j],
            "share": value / total,
            "percent": f"{100 * value / total:.0f}",
            "rows": f"{value:,.1f}".removesuffix(".0"),
        }
        for i, row in enumerate(matrix)
        if (total := sum(row))
        for j, value in enumerate(row)
        if value
    ]
    few = len(classes) <= _TEXT_CLASSES
    layers: list[dict[str, Any]] = [{
        "mark": {"type": "rect", "cornerRadius": 2},
        "encoding": {"opacity": {"field": "share", "type": "quantitative", "legend": None,
                                 "scale": {"domain": [0, 1], "range": [0.05, 1]}},
                     "tooltip": _tooltips("true", "predicted", "percent", "rows")}}]
    if few:
        layers += [
            _percents("datum.share < 0.55", {}),
            _percents("datum.share >= 0.55", {"color": "#ffffff"}),
        ]
    return _spec(
        {
            "data": {"values": squares},
            "layer": layers,
            "height": (26 if few else 14) * len(labels),
            "encoding": {
                "x": {
                    "field": "predicted",
                    "type": "nominal",
                    "sort": labels,
                    "title": "predicted class",
                    "scale": {"domain": labels},
                    "axis": {"labelAngle": -45, "labelLimit": 110, "orient": "bottom"},
                },
                "y": {
                    "field": "true",
                    "type": "nominal",
                    "sort": labels,
                    "title": "true class",
                    "scale": {"domain": labels},
                    "axis": {"labelLimit": 150},
                },
            },
        }
    )


def front(dots: Sequence[Dot], x_title: str, y_title: str) -> dict[str, Any]:
    """Cells by cost (logarithmic) and score; those on the front are named and joined by a line."""
    middle = (min(dot.x for dot in dots) * max(dot.x for dot in dots)) ** 0.5
    values = [
        {
            "row": dot.name,
            "kind": dot.kind,
            "x": dot.x,
            "y": dot.y,
            "front": dot.front,
            "shown": figure(dot.y),
            "cost": f"{dot.x:.3g} s",
            "label": short(dot.name, 34),
        }
        for dot in dots
    ]
    best = [value for value in values if value["front"]]
    place = {
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
    dotted = {**place, "color": _coloured(), "tooltip": _tooltips("row", "shown", "cost"),
              "opacity": {"condition": {"test": "datum.front", "value": 1}, "value": 0.4}}
    line = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5, "color": _MIDDLE_GREY}
    names = [
        _layer(
            [value for value in best if (value["x"] < middle) is left],
            {
                "type": "text",
                "align": align,
                "dx": 8 if left else -8,
                "dy": -10,
                "fontSize": 11,
                "limit": 210,
            },
            {**place, "text": {"field": "label", "type": "nominal"}},
        )
        for left, align in ((True, "left"), (False, "right"))
    ]
    return _spec(
        {
            "layer": [
                _layer(best, line, place),
                _layer(values, {"type": "circle", "size": 90}, dotted),
                *names,
            ],
            "height": _CURVES_HEIGHT,
        }
    )


def curves(
    lines: Sequence[Curve], x_title: str, y_title: str, log_x: bool = False, diagonal: bool = False,
) -> dict[str, Any]:
    """Lines with points and, where there are intervals, bands; kinds choose the colour, names the dashes.

    `diagonal` draws the line y = x over the unit square (reliability curves).
    """
    names = distinct([line.name for line in lines], 60)
    values = [
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
        for name, line in zip(names, lines, strict=True)
        for x, y, low, high in line.points
    ]
    unit = {"domain": [0, 1]} if diagonal else {"zero": False}
    x_scale = (
        {"type": "log", "nice": False}
        if log_x
        else {"domain": [0, 1]}
        if diagonal
        else {"zero": False}
    )
    place = {"x": {"field": "x", "type": "quantitative", "title": x_title, "scale": x_scale,
                   "axis": {"format": "~s" if log_x else "", "tickCount": 6}},
             "y": {"field": "y", "type": "quantitative", "title": y_title, "scale": unit}}
    named = {**place, "color": _coloured(), "detail": {"field": "row", "type": "nominal"}}
    dash = {
        "field": "row",
        "type": "nominal",
        "sort": names,
        "scale": {"domain": names},
        "legend": _LEGEND,
    }
    layers = [_diagonal()] if diagonal else []
    if any(value["low"] is not None for value in values):
        band = {**named, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
        layers.append({"mark": {"type": "area", "opacity": 0.13}, "encoding": band})
    layers += [
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {**named, "strokeDash": dash}},
        {"mark": {"type": "circle", "size": 50, "opacity": 1},
         "encoding": {**named, "tooltip": _tooltips("row", "at", "shown")}}]
    return _spec({"data": {"values": values}, "layer": layers, "height": _CURVES_HEIGHT})


def _layer(values: Values, mark: dict[str, Any], encoding: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"values": values}, "mark": mark, "encoding": encoding}


def _zero_line() -> dict[str, Any]:
    return _layer([{"value": 0}], {"type": "rule", "strokeDash": [4, 3]},
                  {"x": {"field": "value", "type": "quantitative"}})


def _diagonal() -> dict[str, Any]:
    place = {axis: {"field": axis, "type": "quantitative"} for axis in ("x", "y")}
    return _layer(
        [{"x": 0, "y": 0}, {"x": 1, "y": 1}],
        {"type": "line", "strokeDash": [4, 3], "strokeWidth": 1, "color": _MIDDLE_GREY},
        place,
    )


def _percents(test: str, mark: dict[str, Any]) -> dict[str, Any]:
    return {"transform": [{"filter": test}], "mark": {"type": "text", "fontSize": 11, **mark},
            "encoding": {"text": {"field": "percent", "type": "nominal"}}}


def _coloured() -> dict[str, Any]:
    return {"field": "kind", "type": "nominal", "scale": {"domain": KINDS}, "legend": None}


def _tooltips(*fields: str) -> list[dict[str, str]]:
    return [
        {"field": field, "type": "nominal", "title": _TITLES.get(field, field)} for field in fields
    ]


def _two_lines(names: Sequence[str]) -> list[str]:
    """Cell names with a line break after the encoders, shortened, all different."""
    labels = []
    for label in distinct(names, 66):
        top, slash, rest = label.partition(" / ")
        labels.append(f"{top}\n{rest}" if slash else label)
    return labels


def _spec(chart: dict[str, Any]) -> dict[str, Any]:
    return {**chart, "config": {"axis": _AXIS, "view": {"stroke": None}}}
