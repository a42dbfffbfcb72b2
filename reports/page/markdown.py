"""Any text as Markdown that shows exactly this text."""

from __future__ import annotations

import re

from markupsafe import Markup

from reports.wording import clean

_SPECIAL = re.compile(r"([\\`*\[\]|~#])")
# An underscore inside a word is only an underscore; at a word's edge it may start emphasis.
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_LEADING = re.compile(r"^(\s*(?:[-+=]|\d+[.)]))(?=\s|$)")
_SPACE = re.compile(r"\s+")
_BACKTICKS = re.compile(r"`+")
_ADDRESS = re.compile(r"(?i)(?<=http)(s?):(?=//)|(?<=www)()\.")


def inline(value: object) -> Markup:
    """One line of Markdown that shows the text: no formatting, HTML, table border or link in it."""
    text = _SPACE.sub(" ", clean(str(value)))
    text = _UNDERSCORE.sub(r"\\_", _SPECIAL.sub(r"\\\1", text))
    text = (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("](", "]\\(")
    )
    text = _ADDRESS.sub(lambda match: f"{match[1] or ''}\\{match[0][-1]}", text)
    return Markup(_LEADING.sub(lambda match: f"{match[1][:-1]}\\{match[1][-1]}", text))


def fenced(value: object, language: str = "") -> Markup:
    """A block of code, its fence longer than any row of backticks inside."""
    text = clean(str(value)).rstrip("\n")
    fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(text)), default=0))
    return Markup(f"{fence}{language}\n{text}\n{fence}")
