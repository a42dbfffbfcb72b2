"""The section contract: facts first, as plain data; words and charts come from them alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Facts = TypeVar("Facts")  # what a section says, as plain data


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite chart and what it says to somebody who does not see it.

    Parameters
    ----------
    spec : Vega-Lite specification without width, background and text colours: the page and the SVG
        file each set their own.
    label : one sentence that stands for the picture (aria-label, alternative text).
    caption : what is drawn, printed under it.
    """

    spec: dict[str, Any]
    label: str
    caption: str


def _no_charts(facts: object) -> dict[str, Chart]:
    return {}


@dataclass(frozen=True)
class Section(Generic[Facts]):
    """One part of the report.

    It is drawn by `templates/html/<name>.html` and `templates/markdown/<name>.md`.

    Parameters
    ----------
    title : heading in the report.
    facts : what there is to say of a RunRecord, or a RetrievalRecord, as plain data; None leaves
        the section out.
    charts : chart name -> chart, made from the facts; the templates place them by name. Names are
        unique in the report, since the SVG files are called after them.
    """

    title: str
    facts: Callable[[Any], Facts | None]
    charts: Callable[[Facts], dict[str, Chart]] = _no_charts
