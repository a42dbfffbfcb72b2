"""Fill the templates with the sections' facts and put the files in place."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import SECTIONS
from reports.analysis.interval_wording import between, ends, plus_minus
from reports.charts import vega
from reports.page import markdown
from reports.page.thumbnails import Thumbnails
from reports.record import RunRecord
from reports.section import Chart
from reports.sections.leaderboard_latex import main_table
from reports.wording import (
    chance,
    clean,
    count,
    duration,
    figure,
    metric_label,
    p_value,
    short,
    signed,
    size,
)

FILTERS = (
    between,
    chance,
    count,
    duration,
    ends,
    figure,
    metric_label,
    p_value,
    plus_minus,
    short,
    signed,
    size,
)


class Part(NamedTuple):
    """A section that has something to say in this run."""

    name: str
    title: str
    facts: Any
    charts: dict[str, Chart]


def write_report(record: RunRecord, folder: Path) -> list[Path]:
    """Write report.html, report.md, table.tex and charts/*.svg into `folder`, replacing an earlier report.

    The page needs no other file and no network. Each file is written aside and then moved into
    place, so that a reader never sees half of one. Charts and the script that draws them are taken
    over from an earlier report in the folder where they are unchanged (see vega.py).

    Returns
    -------
    The files, the page first.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    (folder / "charts").mkdir(parents=True, exist_ok=True)
    parts = report_parts(record)
    drawings = {
        folder / "charts" / f"{name}.svg": chart
        for part in parts
        for name, chart in part.charts.items()
    }
    board = next((part.facts for part in parts if part.name == "leaderboard"), None)
    contents = {
        folder / "report.html": html_page(record, parts, *vega.script(folder / "report.html")),
        folder / "report.md": markdown_page(record, parts),
        **{path: vega.drawing(chart, path) for path, chart in drawings.items()},
    }
    if board is not None:
        contents[folder / "table.tex"] = main_table(board)
    # The charts first: a report in place never points to a chart that is not.
    for path in reversed(contents):
        _put(path, contents[path])
    return list(contents)


def report_parts(record: RunRecord) -> list[Part]:
    """Facts and charts of every section that has something to say, in page order."""
    found = ((name, section, section.facts(record)) for name, section in SECTIONS.items())
    return [Part(name, section.title, facts, section.charts(facts))
            for name, section, facts in found if facts is not None]


def html_page(record: RunRecord, parts: list[Part], script: str, seal: str) -> str:
    """The whole page; `script` draws the charts, `seal` tells a later run whether it still holds."""
    return _environment("html").get_template("page/page.html").render(
        record=record, parts=parts, script=Markup(script), seal=seal, thumbnail=Thumbnails(record))


def markdown_page(record: RunRecord, parts: list[Part]) -> str:
    """The same content as Markdown, which points to charts/<name>.svg."""
    text = _environment("md").get_template("page/page.md").render(record=record, parts=parts)
    return text.strip() + "\n"


def _shown(value: object) -> str:
    return clean(str(value))


def _html(value: object) -> object:
    return value if hasattr(value, "__html__") else _shown(value)


def _markdown(value: object) -> object:
    return value if hasattr(value, "__html__") else markdown.inline(_shown(value))


@cache
def _environment(kind: Literal["html", "md"]) -> Environment:
    """Both formats escape every expression by itself: html through autoescape, Markdown in `finalize`.

    Compiled templates are kept between runs in Jinja's own folder, where it keeps those of one user
    only.
    """
    try:
        compiled = FileSystemBytecodeCache()
    except (OSError, RuntimeError):  # no folder of the user's own can be made
        compiled = None
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        finalize=_html if kind == "html" else _markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=compiled,
    )
    environment.filters.update({filter_.__name__: filter_ for filter_ in FILTERS})
    environment.filters["embedded"] = lambda chart: Markup(vega.embedded(chart))
    environment.filters["fenced"] = markdown.fenced
    return environment


def _put(path: Path, content: str) -> None:
    """Write aside, flush to the disk, move into place."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("w", encoding="utf-8", newline="\n") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
