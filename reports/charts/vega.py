"""Charts as files: SVG for the Markdown report, JSON and one bundled script for the page.

Starting the JavaScript engine and bundling cost more than all the rest of a report, so what was
made is remembered by everything that it was made from.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from importlib.metadata import version
from math import isfinite
from typing import Any

from reports.charts.remembered import remembered
from reports.section import Chart
from reports.wording import clean

SVG_WIDTH = 680
_GREY = "#767676"  # contrast of at least 4.2 both on white and on near black
# Picture only, text only, fusion, baseline: the page's tones (page.css), to be read on white and on
# black.
_TONES = ["#2f78bd", "#c0761a", "#16967a", "#82868f"]
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def embedded(chart: Chart) -> str:
    """The specification as JSON that cannot end the script element it stands in."""
    text = json.dumps(_cleaned(chart.spec), separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def drawing(chart: Chart) -> str:
    """The chart as SVG on a transparent ground."""
    spec = {**_cleaned(chart.spec), "width": SVG_WIDTH, "background": "transparent"}
    spec["config"] = _with_colours(spec.get("config", {}))
    key = f"drawing by {_converter()} {json.dumps(spec, sort_keys=True)}"
    return remembered(key, lambda: _drawn(spec))


def script() -> str:
    """The charts' JavaScript (Vega, Vega-Lite, Vega-Embed), compressed by gzip, in base64.

    The page takes 407 kB for it in place of 898 (vl-convert 1.9), and Chromium 24 to 59 ms to
    unpack it.
    """
    return remembered(f"compressed script by {_converter()}", _bundled)


def _converter() -> str:
    return f"vl-convert {version('vl-convert-python')}"


def _drawn(spec: dict[str, Any]) -> str:
    import vl_convert  # starts a JavaScript engine

    return str(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])) + "\n"


def _bundled() -> str:
    import vl_convert  # starts a JavaScript engine

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return b64encode(gzip.compress(bundle.encode(), 9, mtime=0)).decode("ascii")


def _cleaned(node: Any) -> Any:
    """The specification with every text in it cleaned, and numbers that JSON lacks as null."""
    if isinstance(node, dict):
        return {key: _cleaned(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_cleaned(value) for value in node]
    if isinstance(node, float) and not isfinite(node):
        return None
    return clean(node) if isinstance(node, str) else node


def _with_colours(config: dict[str, Any]) -> dict[str, Any]:
    guides = {f"{part}Color": _GREY for part in ("label", "title", "grid")}
    return {
        **config,
        "font": _FONT,
        "axis": {**config.get("axis", {}), **guides},
        "text": {"color": _GREY},
        "rule": {"color": _GREY},
        "rect": {"color": _TONES[0]},
        "legend": {"labelColor": _GREY, "symbolStrokeColor": _GREY},
        "range": {"category": _TONES},
    }
