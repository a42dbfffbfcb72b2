"""Charts as files: SVG for the Markdown report, JSON and one bundled script for the page.

Starting the JavaScript engine and bundling cost more than all the rest of a report, so what was
made is sealed with a hash of its content and of everything it was made from, and taken from the
last report in the same folder while the seal holds.
"""

from __future__ import annotations

import hashlib
import json
import re
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

from reports.section import Chart
from reports.wording import clean

SVG_WIDTH = 680
_GREY = "#767676"  # contrast of at least 4.2 both on white and on near black
# Picture only, text only, fusion, baseline: the page's tones (page.css), to be read on white and on
# black.
_TONES = ["#2f78bd", "#c0761a", "#16967a", "#82868f"]
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_SCRIPT = re.compile(r'<script id="vega" data-seal="([0-9a-f]{64})">(.*?)</script>', re.DOTALL)
_DRAWING = re.compile(r"(.*)\n<!-- sha256 ([0-9a-f]{64}) -->\n", re.DOTALL)


def embedded(chart: Chart) -> str:
    """The specification as JSON that cannot end the script element it stands in."""
    text = json.dumps(_cleaned(chart.spec), separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def drawing(chart: Chart, path: Path) -> str:
    """The chart as SVG on a transparent ground; `path` is where the last report put it."""
    spec = {**_cleaned(chart.spec), "width": SVG_WIDTH, "background": "transparent"}
    spec["config"] = _with_colours(spec.get("config", {}))
    key = f"vl-convert {version('vl-convert-python')} {json.dumps(spec, sort_keys=True)}"
    known = _DRAWING.fullmatch(_read(path))
    if known and known[2] == _seal(key, known[1]):
        return known[0]
    import vl_convert  # starts a JavaScript engine

    svg = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return f"{svg}\n<!-- sha256 {_seal(key, svg)} -->\n"


def script(page: Path) -> tuple[str, str]:
    """The charts' JavaScript (Vega, Vega-Lite, Vega-Embed) and its seal.

    `page` is where the last report put it.
    """
    key = f"vl-convert {version('vl-convert-python')}"
    known = _SCRIPT.search(_read(page))
    if known and known[1] == _seal(key, known[2]):
        return known[2], known[1]
    import vl_convert  # starts a JavaScript engine

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    bundle = re.sub(r"</(?=script)", r"<\\/", bundle, flags=re.IGNORECASE)
    return bundle, _seal(key, bundle)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _seal(key: str, content: str) -> str:
    return hashlib.sha256(f"{key}\0{content}".encode()).hexdigest()


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
