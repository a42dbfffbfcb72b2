"""The emoji of Unicode: code points, name, group and subgroup (UTS #51, emoji-test.txt).

`emoji.tsv` beside this file is made of Unicode's file, under Unicode's license, which lies beside
it, too. For another version: ``python -m pipeline.data.sources.emoji emoji-test.txt >
pipeline/data/sources/emoji/emoji.tsv``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import NamedTuple

TABLE = "emoji.tsv"
# A line of emoji-test.txt: code points ; status # the emoji, version of its first appearance, name.
LINE = re.compile(r"(?P<points>[0-9A-F ]+?) *; (?P<status>\S+) *# \S+ E[\d.]+ (?P<name>.+)")
TAKEN = ("fully-qualified", "component")  # the others are the same emoji, written with less


class Emoji(NamedTuple):
    """An emoji, or a component of emoji: a bare skin tone or hair style."""

    points: str
    name: str
    group: str
    subgroup: str


def emoji() -> Iterator[Emoji]:
    """All that the table lists, in Unicode's order."""
    text = (files(__package__) / TABLE).read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            yield Emoji(*line.split("\t"))


def listed(lines: Iterable[str]) -> Iterator[str]:
    """Lines of the table, of those of Unicode's file."""
    group = subgroup = ""
    for line in lines:
        if line.startswith(("# Date:", "# Version:", "# ©")):
            yield line
        group = line.removeprefix("# group: ") if line.startswith("# group: ") else group
        if line.startswith("# subgroup: "):
            subgroup = line.removeprefix("# subgroup: ")
        entry = LINE.match(line)
        if entry is not None and entry["status"] in TAKEN:
            yield "\t".join((entry["points"], entry["name"], group, subgroup))
