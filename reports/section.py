"""The section contract: facts first, as plain data; words and charts come from them alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

Facts = TypeVar("Facts")  # what a section says, as plain data


class LegendLine(NamedTuple):
    """A line of a chart: its name, its kind (which colours it), its dashes as SVG writes them."""

    name: str
    kind: str
    dash: str


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite chart and what it says to somebody who does not see it.

    Parameters
    ----------
    spec : Vega-Lite specification without width, background and text colours: the page and the SVG
        file each set their own.
    label : one sentence that stands for the picture (aria-label, alternative text).
    caption : what is drawn, printed under it.
    legend : its lines, where it has several: the page lists them beside the chart, as wide as the
        page is, in place of the legend within it.
    """

    spec: dict[str, Any]
    label: str
    caption: str
    legend: tuple[LegendLine, ...] = ()


def _no_charts(facts: object) -> dict[str, Chart]:
    return {}


def _empty(facts: object) -> str:
    return ""


@dataclass(frozen=True)
class Section(Generic[Facts]):
    """One part of the report.

    It is drawn by `templates/html/<name>.html` and `templates/markdown/<name>.md`, a plugin's by
    the templates that it brings.

    Parameters
    ----------
    title : heading in the report.
    facts : what there is to say of a RunRecord, or a RetrievalRecord, as plain data; None leaves
        the section out.
    charts : chart name -> chart, made from the facts; the templates place them by name. Names are
        unique in the report, since the SVG files are called after them.
    collapsed : whether the page shows only the heading until it is asked for more; `gist` is then
        what stands beside it, a line made from the facts.
    heading : what stands in the title's place, where the facts decide that; else empty.
    html, markdown : text of the templates of a plugin's section (Jinja, with `facts` and, where it
        has some, `charts`); None where they are files of ours.
    """

    title: str
    facts: Callable[[Any], Facts | None]
    charts: Callable[[Facts], dict[str, Chart]] = _no_charts
    collapsed: bool = False
    gist: Callable[[Facts], str] = _empty
    heading: Callable[[Facts], str] = _empty
    html: str | None = None
    markdown: str | None = None

    def template_problems(self) -> list[str]:
        """What is wrong with the templates that a plugin's section brings, a phrase for each."""
        from jinja2 import Environment, TemplateSyntaxError

        problems = []
        for name, text in (("html", self.html), ("markdown", self.markdown)):
            try:
                if text is None:
                    problems.append(f"{name} (the text of a template)")
                else:
                    Environment(autoescape=True).parse(text)
            except TemplateSyntaxError as error:
                problems.append(f"{name} that can be read (line {error.lineno}: {error.message})")
        return problems
