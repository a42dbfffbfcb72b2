"""Fill the templates with the sections' facts and put the files in place."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from jinja2 import ChoiceLoader, Environment, FunctionLoader, PackageLoader
from markupsafe import Markup

from reports.charts import vega
from reports.page import markdown
from reports.page.brought import FAILED, is_brought, source_of
from reports.page.code_spans import coded
from reports.page.environment import environment
from reports.page.files import write_whole
from reports.page.latex import main_table
from reports.page.thumbnails import Thumbnails
from reports.record import RunRecord
from reports.retrieval import RETRIEVAL_SECTIONS
from reports.retrieval_record import RetrievalRecord
from reports.section import Chart, Section
from reports.sections import SECTIONS
from reports.sentences.intervals import between, ends, plus_minus
from reports.units import duration, elapsed, moment, rough_duration, size
from reports.wording import (
    capitalize_first,
    chance,
    clean,
    count,
    figure,
    first_lines,
    in_a_line,
    metric_label,
    noun_of,
    p_value,
    quoted,
    short,
    signed,
)

FILTERS = (
    between,
    capitalize_first,
    chance,
    count,
    duration,
    elapsed,
    ends,
    figure,
    first_lines,
    metric_label,
    moment,
    noun_of,
    p_value,
    plus_minus,
    quoted,
    rough_duration,
    short,
    signed,
    size,
)
logger = logging.getLogger("modalgrid.report")
PER_CENT = re.compile(r"(?<=\d) %")


class Part(NamedTuple):
    """A section that has something to say in this run; `template` is the path of its templates.

    `gist` is the line that stands beside the heading of a collapsed one.
    """

    name: str
    template: str
    title: str
    facts: Any
    charts: dict[str, Chart]
    collapsed: bool
    gist: str


def write_report(record: RunRecord | RetrievalRecord, folder: Path) -> list[Path]:
    """Write report.html, report.md, table.tex and charts/*.svg into `folder`.

    An earlier report there is replaced. The page needs no other file and no network. A reader
    never sees half of a file. Nothing of the earlier report passes into the new one.

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
    drawings: dict[Path, Chart] = {}
    for part in parts:
        for name, chart in part.charts.items():
            drawings[folder / "charts" / f"{name}.svg"] = chart
    board = next((part.facts for part in parts if part.template == "leaderboard"), None)
    contents = {
        folder / "report.html": html_page(record, parts, vega.script()),
        folder / "report.md": markdown_page(record, parts),
        **{path: vega.drawing(chart) for path, chart in drawings.items()},
    }
    if board is not None:
        contents[folder / "table.tex"] = main_table(board)
    # The charts first: a report in place never points to a chart that is not.
    for path in reversed(contents):
        write_whole(path, _writer(contents[path]))
    return list(contents)


def report_parts(record: RunRecord | RetrievalRecord) -> list[Part]:
    """Facts and charts of every section that has something to say, in page order."""
    parts = []
    of_pairs = isinstance(record, RetrievalRecord)
    for name, section in (RETRIEVAL_SECTIONS if of_pairs else SECTIONS).items():
        template = f"retrieval/{name}" if of_pairs else name
        part = (_brought if is_brought(section) else part_of)(name, template, section, record)
        if part is not None:
            parts.append(part)
    return parts


def part_of(
    name: str, template: str, section: Section[Any], record: RunRecord | RetrievalRecord
) -> Part | None:
    """What a section has to say of a run; None where that is nothing."""
    facts = section.facts(record)
    if facts is None:
        return None
    return Part(
        name,
        template,
        section.heading(facts) or section.title,
        facts,
        section.charts(facts),
        section.collapsed,
        section.gist(facts),
    )


def _brought(
    name: str, template: str, section: Section[Any], record: RunRecord | RetrievalRecord
) -> Part | None:
    """A plugin's section; where it fails, the report says so, and has all the others."""
    try:
        part = part_of(name, template, section, record)
        if part is not None:  # once by itself, so that it cannot take the page with it
            shown = {"facts": part.facts, "charts": part.charts, "record": record}
            html = templates("html").get_template(f"html/{template}.html")
            html.render(**shown, thumbnail=Thumbnails(record))
            templates("md").get_template(f"markdown/{template}.md").render(**shown)
    except Exception as error:
        said = in_a_line(error)
        logger.warning("warning: the section '%s' of a plugin failed: %s", name, said)
        return Part(name, FAILED, section.title, said, {}, collapsed=False, gist="")
    return part


def html_page(record: RunRecord | RetrievalRecord, parts: list[Part], script: str) -> str:
    """The whole page; `script` draws the charts, as vega.script gives it."""
    template = templates("html").get_template("page/page.html")
    return template.render(
        record=record, parts=parts, script=Markup(script), thumbnail=Thumbnails(record)
    )


def markdown_page(record: RunRecord | RetrievalRecord, parts: list[Part]) -> str:
    """The same content as Markdown, which points to charts/<name>.svg."""
    text = templates("md").get_template("page/page.md").render(record=record, parts=parts)
    return text.strip() + "\n"


def _shown(value: object) -> str:
    return clean(str(value))


def _html(value: object) -> object:
    """A value in the page: a number and its per cent sign stay in one line."""
    return value if hasattr(value, "__html__") else PER_CENT.sub("\u00a0%", _shown(value))


def _markdown(value: object) -> object:
    return value if hasattr(value, "__html__") else markdown.inline(_shown(value))


def _coded_html(sentence: str) -> Markup:
    return coded(sentence, _html, lambda line: Markup("<code>{}</code>").format(_shown(line)))


def _coded_markdown(sentence: str) -> Markup:
    return coded(sentence, _markdown, lambda line: Markup(f"`{_shown(line)}`"))


@cache
def templates(kind: Literal["html", "md"]) -> Environment:
    """Both formats escape every expression: html through autoescape, Markdown in `finalize`.

    Compiled templates are kept between runs.
    """
    made = environment(
        ChoiceLoader([FunctionLoader(source_of), PackageLoader("reports")]),
        _html if kind == "html" else _markdown,
        FILTERS,
    )
    made.filters["coded"] = _coded_html if kind == "html" else _coded_markdown
    made.filters["embedded"] = lambda chart: Markup(vega.embedded(chart))
    made.filters["fenced"] = markdown.fenced
    return made


def _writer(content: str) -> Callable[[Path], object]:
    """Writes the text to whatever path it is given, with the same line ends everywhere."""
    return partial(Path.write_text, data=content, encoding="utf-8", newline="\n")
