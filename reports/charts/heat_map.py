"""The confusion matrix as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.charts.encoding import Values, specification, tooltips
from reports.wording import distinct

_TEXT_CLASSES = 20  # up to so many classes figures fit into the squares of a wide page
_SLANTED = 10  # up to so many names stand aslant without touching, on a phone as well
_TEXT_WIDTH = 20  # pixels that a figure takes: none in squares that are narrower
_FIGURE = f"bandwidth('x') < {_TEXT_WIDTH} ? '' : datum.percent"


def heat_map(
    classes: Sequence[str],
    matrix: Sequence[Sequence[float]],
    totals: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Confusion matrix (K, K) as shares of the true class; figures in the squares where they fit.

    The shade is one colour at varying opacity, so that it works on light and dark grounds.

    Parameters
    ----------
    totals : rows of each true class, where the matrix lacks some of them; else its sums.
    """
    labels = distinct(classes, 24)
    totals = [sum(row) for row in matrix] if totals is None else totals
    few = len(classes) <= _TEXT_CLASSES
    layers = [_shades()]
    if few:
        layers += [
            _percents("datum.share < 0.55", {}),
            _percents("datum.share >= 0.55", {"color": "#ffffff"}),
        ]
    return specification(
        {
            "data": {"values": _squares(labels, matrix, totals)},
            "layer": layers,
            "height": (26 if few else 14) * len(labels),
            "encoding": {
                "x": _axis("predicted", labels) | {"axis": _below(len(labels))},
                "y": _axis("true", labels) | {"axis": {"labelLimit": 150}},
            },
        }
    )


def _squares(
    labels: Sequence[str], matrix: Sequence[Sequence[float]], totals: Sequence[float]
) -> Values:
    """One value for every pair of classes that occurs."""
    squares = []
    for true, row, total in zip(labels, matrix, totals, strict=True):
        squares += [
            {
                "true": true,
                "predicted": predicted,
                "share": value / total,
                "percent": f"{100 * value / total:.0f}",
                "rows": f"{value:,.1f}".removesuffix(".0"),
            }
            for predicted, value in zip(labels, row, strict=True)
            if value
        ]
    return squares


def _axis(field: str, labels: Sequence[str]) -> dict[str, Any]:
    return {
        "field": field,
        "type": "nominal",
        "sort": labels,
        "title": f"{field} class",
        "scale": {"domain": labels},
    }


def _below(classes: int) -> dict[str, Any]:
    """Names under the squares: aslant, or upright and some left out where there are many."""
    upright = {"labelAngle": -90, "labelLimit": 150, "labelOverlap": True}
    slanted = {"labelAngle": -45, "labelLimit": 110}
    return {"orient": "bottom", **(upright if classes > _SLANTED else slanted)}


def _shades() -> dict[str, Any]:
    opacity = {
        "field": "share",
        "type": "quantitative",
        "legend": None,
        "scale": {"domain": [0, 1], "range": [0.05, 1]},
    }
    tooltip = tooltips("true", "predicted", "percent", "rows")
    return {
        "mark": {"type": "rect", "cornerRadius": 2},
        "encoding": {"opacity": opacity, "tooltip": tooltip},
    }


def _percents(test: str, mark: dict[str, Any]) -> dict[str, Any]:
    return {
        "transform": [{"filter": test}],
        "mark": {"type": "text", "fontSize": 11, "text": {"expr": _FIGURE}, **mark},
        "encoding": {},
    }
