"""What all charts share: scales, titles and marks of a Vega-Lite specification.

Colours and font are left to the configuration, which is set where a chart is shown: for files in
vega.py, for the page in page.js.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from reports.wording import capitalize_first, distinct

# Coloured by the configuration's category range, in this order; each has a shape as well, so that
# nobody has to tell colours apart. The page's tables show the same (page.css).
KINDS = ["image", "text", "fusion", "baseline"]
SHAPES = ["circle", "square", "diamond", "triangle-up"]
SHAPES_IN_WORDS = {
    "image": "Circles: picture only",
    "text": "squares: text only",
    "fusion": "diamonds: both",
    "baseline": "triangles: neither",
}
MIDDLE_GREY = "#85898f"  # to be read on white and on black
HEIGHT = 300  # of a chart with two axes of numbers
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
_TITLES = {
    "row": "cell",
    "percent": "% of true class",
    "true": "true class",
    "predicted": "predicted class",
}

Values = list[dict[str, Any]]


def layer(values: Values, mark: dict[str, Any], encoding: dict[str, Any]) -> dict[str, Any]:
    """Marks drawn from values of their own."""
    return {"data": {"values": values}, "mark": mark, "encoding": encoding}


def coloured() -> dict[str, Any]:
    """A colour for each of KINDS."""
    return {"field": "kind", "type": "nominal", "scale": {"domain": KINDS}, "legend": None}


def shaped() -> dict[str, Any]:
    """A shape for each of KINDS."""
    scale = {"domain": KINDS, "range": SHAPES}
    return {"field": "kind", "type": "nominal", "scale": scale, "legend": None}


def shapes_of(kinds: Iterable[str]) -> str:
    """What the shapes of these kinds mean, as a sentence; empty where there is one kind only."""
    present = set(kinds)
    if len(present) < 2:
        return ""
    words = "; ".join(SHAPES_IN_WORDS[kind] for kind in KINDS if kind in present)
    return f"{capitalize_first(words)}."


def tooltips(*fields: str, **titles: str) -> list[dict[str, str]]:
    """What is shown over a mark: these fields, by their readable titles, or those given."""
    known = {**_TITLES, **titles}
    return [
        {"field": field, "type": "nominal", "title": known.get(field, field)} for field in fields
    ]


def two_lines(names: Sequence[str]) -> list[str]:
    """Cell names with a line break after the encoders, shortened, all different."""
    labels = []
    for label in distinct(names, 66):
        top, slash, rest = label.partition(" / ")
        labels.append(f"{top}\n{rest}" if slash else label)
    return labels


def specification(chart: dict[str, Any]) -> dict[str, Any]:
    """The chart with the configuration that all charts have."""
    return {**chart, "config": {"axis": _AXIS, "view": {"stroke": None}}}
