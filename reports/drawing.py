"""The shapes of chart that sections share, as Vega-Lite specifications through Altair.

Colours and font are left to the configuration, which is set where a chart is shown: for files in vega.py,
for the page in page.js. Importing this module imports Altair: import it where a chart is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from reports.ranking import FoldKey
from reports.wording import distinct, figure, signed

KINDS = ["image", "text", "fusion", "baseline"]  # coloured by the configuration's category range, in this order
_TEXT_CLASSES = 20
_AXIS = {"domain": False, "ticks": False, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
         "gridOpacity": 0.2, "labelPadding": 6, "titlePadding": 10}

Strip = tuple[str, str, float, Sequence[tuple[FoldKey, float]]]


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
    dots = [{"row": label, "kind": kind, "value": value, "fold": f"repeat {key[0] + 1}, fold {key[1] + 1}",
             "shown": number(value)}
            for label, (_, kind, _, folds) in zip(labels, rows, strict=True) for key, value in folds]
    means = [{"row": label, "kind": kind, "value": mean, "shown": number(mean), "low": low, "high": high}
             for label, (_, kind, mean, _), (low, high)
             in zip(labels, rows, intervals or [(None, None)] * len(rows), strict=True)]
    y = alt.Y("row:N", sort=labels, title=None,
              axis=alt.Axis(labelExpr="split(datum.label, '\\n')", labelLimit=260, labelLineHeight=13))
    x = alt.X("value:Q", title=title, scale=alt.Scale(zero=False, nice=True))
    colour = alt.Color("kind:N", scale=alt.Scale(domain=KINDS), legend=None)
    layers: list[Any] = [_zero_line()] if zero else []
    layers.append(_drawn(dots).mark_circle(size=46, opacity=0.45).encode(
        y=y, x=x, color=colour, tooltip=_tooltips("row", "fold", "shown")))
    if intervals and intervals[0][0] is not None:
        layers.append(_drawn(means).mark_rule(strokeWidth=2).encode(y=y, x="low:Q", x2="high:Q", color=colour))
    layers.append(_drawn(means).mark_tick(thickness=3, size=20, opacity=1).encode(
        y=y, x=x, color=colour, tooltip=_tooltips("row", "shown")))
    return _spec(alt.layer(*layers).properties(height=34 * len(labels)))


def heat_map(classes: Sequence[str], matrix: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Confusion matrix (K, K) as shares of the true class; figures in the squares where they fit.

    The shade is one colour at varying opacity, so that it works on light and dark grounds.
    """
    labels = distinct(classes, 24)
    squares = [
        {"true": labels[i], "predicted": labels[j], "share": value / total, "percent": f"{100 * value / total:.0f}",
         "rows": f"{value:,.1f}".removesuffix(".0")}
        for i, row in enumerate(matrix) if (total := sum(row)) for j, value in enumerate(row) if value]
    chart = _drawn(squares).encode(
        x=alt.X("predicted:N", sort=labels, title="predicted class", scale=alt.Scale(domain=labels),
                axis=alt.Axis(labelAngle=-45, labelLimit=110, orient="bottom")),
        y=alt.Y("true:N", sort=labels, title="true class", scale=alt.Scale(domain=labels),
                axis=alt.Axis(labelLimit=150)))
    layers = [chart.mark_rect(cornerRadius=2).encode(
        opacity=alt.Opacity("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0.05, 1])),
        tooltip=_tooltips("true", "predicted", "percent", "rows"))]
    if len(classes) <= _TEXT_CLASSES:
        text = chart.encode(text="percent:N")
        layers.append(text.transform_filter("datum.share < 0.55").mark_text(fontSize=11))
        layers.append(text.transform_filter("datum.share >= 0.55").mark_text(fontSize=11, color="#ffffff"))
    return _spec(alt.layer(*layers).properties(height=(26 if len(classes) <= _TEXT_CLASSES else 14) * len(labels)))


def _drawn(values: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=values))


def _zero_line() -> Any:
    return _drawn([{"value": 0}]).mark_rule(strokeDash=[4, 3]).encode(x="value:Q")


def _tooltips(*fields: str) -> list[alt.Tooltip]:
    titles = {"row": "cell", "shown": "value", "percent": "% of true class", "true": "true class",
              "predicted": "predicted class"}
    return [alt.Tooltip(f"{field}:N", title=titles.get(field, field)) for field in fields]


def _two_lines(names: Sequence[str]) -> list[str]:
    """Cell names with a line break after the encoders, shortened, all different."""
    labels = []
    for label in distinct(names, 66):
        top, slash, rest = label.partition(" / ")
        labels.append(f"{top}\n{rest}" if slash else label)
    return labels


def _spec(chart: Any) -> dict[str, Any]:
    return {**chart.to_dict(), "config": {"axis": _AXIS, "view": {"stroke": None}}}
