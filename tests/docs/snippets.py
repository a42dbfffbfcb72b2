"""What the pages tell a reader to type: grids, command lines and Python, as they stand there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tests.support.paths import ROOT

FENCED = re.compile(r"^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4}(?P<text>(?:modalgrid|python|pip) .*)$", re.MULTILINE)
INLINE = re.compile(r"`(?P<text>(?:modalgrid|python -m) [^`]+)`")


@dataclass(frozen=True)
class Snippet:
    """A piece of code on a page: `where` is the page and the line it begins in."""

    where: str
    text: str
    language: str = ""


def pages() -> list[Path]:
    """README and all pages of the site."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[Snippet]:
    """Fenced blocks of a language on all pages."""
    fenced = chain.from_iterable(map(_fenced, pages()))
    return [block for block in fenced if block.language == language]


def command_lines() -> list[Snippet]:
    """Whole command lines, of fenced blocks (sh) and of indented lines."""
    lines = [Snippet(block.where, block.text.replace("\\\n", " ")) for block in blocks("sh")]
    lines += chain.from_iterable(_outside_blocks(page, INDENTED) for page in pages())
    return list(chain.from_iterable(map(_commands, lines)))


def mentioned_commands() -> list[Snippet]:
    """Commands within sentences, which may lack their arguments."""
    return list(chain.from_iterable(_outside_blocks(page, INLINE) for page in pages()))


def _fenced(page: Path) -> list[Snippet]:
    text = page.read_text(encoding="utf-8")
    return [
        Snippet(_where(page, text, match), match["text"], match["language"])
        for match in FENCED.finditer(text)
    ]


def _outside_blocks(page: Path, pattern: re.Pattern[str]) -> list[Snippet]:
    text = FENCED.sub(_blank, page.read_text(encoding="utf-8"))
    return [
        Snippet(_where(page, text, match), match["text"]) for match in pattern.finditer(text)
    ]


def _where(page: Path, text: str, match: re.Match[str]) -> str:
    line = text.count("\n", 0, match.start()) + 1
    return f"{page.relative_to(ROOT)}:{line}"


def _blank(match: re.Match[str]) -> str:
    """As many lines as there were."""
    return "\n" * match[0].count("\n")


def _commands(lines: Snippet) -> Iterator[Snippet]:
    """Commands that lines hold, or && joins, without comments."""
    for line in lines.text.splitlines():
        words: list[str] = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word != "&&":
                words.append(word)
            elif words:
                yield Snippet(lines.where, shlex.join(words))
                words = []
