"""Lines and their legend tell the same dashes."""

from __future__ import annotations

from reports.charts.curves import DASHES, Curve, curves, legend
from reports.section import LegendLine

LINES = [Curve(f"line {number}", "image", [(0, 1, None, None)]) for number in range(7)]


def test_the_legend_has_the_lines_names_kinds_and_dashes():
    listed = legend(LINES)
    assert listed[0] == LegendLine("line 0", "image", "1 0")
    assert listed[1] == LegendLine("line 1", "image", "6 3")
    scale = curves(LINES, "x", "y")["layer"][0]["encoding"]["strokeDash"]["scale"]
    assert [" ".join(map(str, dash)) for dash in scale["range"]] == [line.dash for line in listed]
    assert len({line.dash for line in listed}) == len(DASHES) == 6  # the seventh begins again
