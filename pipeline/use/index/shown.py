"""Items that were found, as a table, as JSON lines, and as a page with pictures."""

from __future__ import annotations

import argparse
import base64
import json
import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from pipeline.engine.progress import say
from pipeline.use.index.files import OURS
from pipeline.use.index.index import Hit, Hits
from reports.wording import capitalize_first

SHORT = 60  # characters of a column that stands on the page
TEMPLATES = Path(__file__).with_name("templates")


def show(hits: Hits, asked: str, options: argparse.Namespace) -> None:
    """Print items as the options say, and write the page that they ask for."""
    if hits.note:
        say(hits.note)
    if options.json:
        for hit in hits:
            print(json.dumps(plain(hit), ensure_ascii=False))
    else:
        print(table(hits))
    if options.html is not None:
        options.html.write_text(page(hits, asked), encoding="utf-8")
        if not options.json:
            print(f"page: {options.html}")


def plain(hit: Hit) -> dict[str, Any]:
    """What JSON says of an item."""
    return {
        "id": hit.id,
        "score": round(hit.score, 4),
        "cosines": {name: round(cosine, 4) for name, cosine in hit.cosines.items()},
        "text": hit.text,
        **{name: value for name, value in hit.columns.items() if name not in OURS},
    }


def table(hits: Sequence[Hit]) -> str:
    """A line for each item, no wider than the terminal."""
    if not hits:
        return "no item"
    names = list(dict.fromkeys(chain.from_iterable(hit.cosines for hit in hits)))
    width = max(4, *(min(len(_line(hit.id)), 40) for hit in hits))
    room = max(20, shutil.get_terminal_size((120, 24)).columns - width - 9 * (len(names) + 1) - 1)
    heading = [f"{'id':{width}}", f"{'score':>8}", *(f"{name:>8}" for name in names), "text"]
    lines = [" ".join(heading)]
    for hit in hits:
        text = _shortened(_line(hit.text or ""), room)
        identifier = f"{_shortened(_line(hit.id), 40):{width}}"
        cosines = [_number(hit.cosines.get(name)) for name in names]
        lines.append(" ".join([identifier, _number(hit.score), *cosines, text]))
    return "\n".join(lines)


def _number(cosine: float | None) -> str:
    return f"{'-':>8}" if cosine is None else f"{cosine:8.3f}"


def _line(text: str) -> str:
    """A text on one line, without characters that a terminal would act on."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _shortened(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _is_short(value: str | None) -> bool:
    return bool(value) and len(value or "") <= SHORT


def page(hits: Hits, asked: str) -> str:
    """A page that needs nothing else: pictures, scores and texts."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    items = [
        {
            "hit": hit,
            "picture": base64.b64encode(hit.thumbnail).decode() if hit.thumbnail else "",
            "columns": {name: value for name, value in hit.columns.items() if _is_short(value)},
        }
        for hit in hits
    ]
    return environment.get_template("found.html").render(
        asked=asked, items=items, note=capitalize_first(hits.note)
    )
