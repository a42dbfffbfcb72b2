"""One line per cell: its value on every fold, their mean and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.charts.encoding import (
    Values,
    coloured,
    layer,
    shaped,
    specification,
    tooltips,
    two_lines,
)
from reports.fold_record import FoldKey
from reports.wording import figure, signed

Strip = tuple[str, str, float, Sequence[tuple[FoldKey, float]]]
Intervals = Sequence[tuple[float | None, float | None]]


def fold_strips(
    rows: Sequence[Strip], title: str, zero: bool, intervals: Intervals = ()
) -> dict[str, Any]:
    """One line per cell: a dot for each fold, a bar at the mean, a rule for its interval.

    Parameters
    ----------
    rows : (cell, kind, mean, fold values) in the order they are drawn; kinds choose the colour.
    title : of the value axis.
    zero : draw a line at zero (the values are differences).
    intervals : one per row, or none.
    """
    labels = two_lines([name for name, *_ in rows])
    means = _means(rows, labels, zero, intervals or [(None, None)] * len(rows))
    axes = _axes(labels, title)
    layers = [_zero_line()] if zero else []
    layers.append(
        layer(
            _dots(rows, labels, zero),
            {"type": "point", "filled": True, "size": 46, "opacity": 0.45},
            {**axes, "shape": shaped(), "tooltip": tooltips("row", "fold", "shown", shown=title)},
        )
    )
    if intervals and intervals[0][0] is not None:
        ends = {**axes, "x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}}
        layers.append(layer(means, {"type": "rule", "strokeWidth": 2}, ends))
    layers.append(
        layer(
            means,
            {"type": "tick", "thickness": 3, "size": 20, "opacity": 1},
            {**axes, "tooltip": tooltips("row", "shown", shown=f"mean {title}")},
        )
    )
    return specification({"layer": layers, "height": 34 * len(labels)})


def _dots(rows: Sequence[Strip], labels: Sequence[str], zero: bool) -> Values:
    """One value for every cell and fold."""
    number = signed if zero else figure
    dots = []
    for label, (_, kind, _, folds) in zip(labels, rows, strict=True):
        dots += [
            {
                "row": label,
                "kind": kind,
                "value": value,
                "fold": f"repeat {repeat + 1}, fold {fold + 1}",
                "shown": number(value),
            }
            for (repeat, fold), value in folds
        ]
    return dots


def _means(
    rows: Sequence[Strip], labels: Sequence[str], zero: bool, intervals: Intervals
) -> Values:
    """One value for every cell."""
    number = signed if zero else figure
    return [
        {"row": label, "kind": kind, "value": mean, "shown": number(mean), "low": low, "high": high}
        for label, (_, kind, mean, _), (low, high) in zip(labels, rows, intervals, strict=True)
    ]


def _axes(labels: Sequence[str], title: str) -> dict[str, Any]:
    """Cells from top to bottom, values from left to right."""
    return {
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
        "color": coloured(),
    }


def _zero_line() -> dict[str, Any]:
    return layer(
        [{"value": 0}],
        {"type": "rule", "strokeDash": [4, 3]},
        {"x": {"field": "value", "type": "quantitative"}},
    )
