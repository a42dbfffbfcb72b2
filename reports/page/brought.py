"""Sections that plugins bring: their templates, and what is shown of one that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from reports.section import Section
from reports.sections import SECTIONS

FAILED = "failed"
_OF_FAILED = {
    "html": "<p>This section of a plugin could not be made: {{ facts }}</p>\n",
    "markdown": "This section of a plugin could not be made: {{ facts }}\n",
}
Source: TypeAlias = tuple[str, None, Callable[[], bool]]


def is_brought(section: Section[object]) -> bool:
    """Whether it is a plugin's."""
    return section.html is not None


def source_of(name: str) -> Source | None:
    """The template of a name like html/sizes.html, for Jinja; None where no plugin brings it."""
    text = _text_of(name)
    return None if text is None else (text, None, lambda: _text_of(name) == text)


def _text_of(name: str) -> str | None:
    kind: Literal["html", "markdown"] = "html" if name.endswith(".html") else "markdown"
    section = name.removeprefix(f"{kind}/").rpartition(".")[0]
    if section == FAILED:
        return _OF_FAILED[kind]
    return getattr(SECTIONS.get(section), kind, None)
