"""Parts that installed packages name by entry points: modalgrid.encoders, modalgrid.fusions, ..."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from pipeline.config.plugins.kinds import GROUPS

PREFIX = "modalgrid."


class Entry(NamedTuple):
    """An entry point: `NAME = MODULE:ATTRIBUTE` in modalgrid.GROUP."""

    group: str
    name: str
    module: str
    attribute: str


class Distribution(NamedTuple):
    """An installed package that has some."""

    name: str
    version: str
    entries: tuple[Entry, ...]


def distributions() -> tuple[Distribution, ...]:
    """The installed packages that add parts, by name; nothing of them is imported.

    They are looked for once as long as Python's path is the same.
    """
    return _distributions(tuple(sys.path))


@lru_cache(maxsize=4)
def _distributions(path: tuple[str, ...]) -> tuple[Distribution, ...]:
    listed: dict[tuple[str, str], dict[Entry, None]] = {}
    points = entry_points()  # of all groups: every one of them would look at all packages anew
    for group in GROUPS:
        for point in points.select(group=f"{PREFIX}{group}"):
            about: Any = point.dist  # what is damaged has no name, whatever its type says
            key = (
                getattr(about, "name", None) or "an unnamed package",
                getattr(about, "version", None) or "",
            )
            entry = Entry(group, point.name, point.module, point.attr or "")
            listed.setdefault(key, {})[entry] = None
    return tuple(
        Distribution(name, version, tuple(sorted(entries)))
        for (name, version), entries in sorted(listed.items())
    )
