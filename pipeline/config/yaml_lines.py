"""Reading a YAML file safely, remembering in which line each key and item stands."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode

from pipeline.config.problem import KeyPath, Problem
from pipeline.config.reading.nodes import (
    CHARACTERS,
    CORE,
    MAPPINGS,
    MERGE,
    PAIRS,
    SEQUENCES,
    SET,
    START,
    Node,
    Position,
    RefusedYAML,
    nodes_of,
    too_long,
)
from pipeline.data.reading.regular_files import check_regular

Lines: TypeAlias = dict[KeyPath, Position]


def read_yaml(path: Path) -> tuple[Any, Lines, list[Problem]]:
    """Plain Python content of a YAML 1.2 file, where every path in it stands, and what is wrong.

    Only plain values are built (no objects). A key that stands twice is a problem.
    """
    try:
        check_regular(path)
        if path.stat().st_size > 4 * CHARACTERS:  # better said before it is in memory
            raise RefusedYAML(START, too_long(path.stat().st_size, "bytes"))
        text = path.read_text(encoding="utf-8")
    except RefusedYAML as error:
        return None, {}, [Problem((), error.rule, kind="yaml")]
    except OSError as error:
        return None, {}, [Problem((), f"cannot be read: {error.strerror or error}", kind="yaml")]
    except UnicodeDecodeError as error:
        byte = f"byte {error.start} is {error.object[error.start]:#04x}"
        return None, {}, [Problem((), f"is not UTF-8 text: {byte}", kind="yaml")]
    return parse_yaml(text)


def parse_yaml(text: str) -> tuple[Any, Lines, list[Problem]]:
    """What `read_yaml` gives of a file, of its text."""
    lines: Lines = {(): START}
    try:
        document = nodes_of(text)
        content = None if document is None else _Plain(lines).value(document, ())
    except RefusedYAML as error:
        return None, {(): error.position}, [Problem((), error.rule, kind="yaml")]
    except MarkedYAMLError as error:
        mark = error.problem_mark
        position = Position(mark.line + 1, mark.column + 1) if mark else START
        rule = " ".join(str(error.problem or error.context).split())
        return None, {(): position}, [Problem((), f"is not valid YAML: {rule}", kind="yaml")]
    except YAMLError as error:
        return None, {}, [Problem((), f"is not valid YAML: {error}", kind="yaml")]
    return content, lines, []


class _Plain:
    """Makes plain values of nodes, and notes the line of every key and item."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._scalars = YAML(typ="safe", pure=True).constructor

    def value(self, node: Node, path: KeyPath) -> Any:
        if node.tag == PAIRS:
            return self._mapping(_of_pairs(node), path)
        if node.tag == SET:  # its keys
            return self._items([key for key, _ in node.pairs()], path)
        if node.tag in SEQUENCES:
            return self._items(node.items, path)
        if node.tag in MAPPINGS:
            return self._mapping(list(node.pairs()), path)
        return self._scalar(node)

    def _items(self, items: Iterable[Node], path: KeyPath) -> list[Any]:
        values = []
        for position, item in enumerate(items):
            self._lines[(*path, position)] = item.position
            values.append(self.value(item, (*path, position)))
        return values

    def _mapping(self, pairs: Iterable[tuple[Node, Node]], path: KeyPath) -> dict[str, Any]:
        """Keys that stand there, then those merged (<<), of which the first mapping's go first."""
        content: dict[str, Any] = {}
        merged: list[Node] = []
        for key, value in pairs:
            if key.tag == MERGE:
                merged += value.items if value.tag in SEQUENCES else [value]
                continue
            name = self._name(key)
            if name in content:
                rule = f"is not valid YAML: found duplicate key {name[:50]!r}"
                raise RefusedYAML(key.position, rule)
            self._lines[(*path, name)] = key.position
            content[name] = self.value(value, (*path, name))
        for node in merged:
            if node.tag not in MAPPINGS:
                raise RefusedYAML(node.position, "what << merges must be a mapping, or several")
            for name, value in _Plain({})._mapping(node.pairs(), ()).items():
                if name not in content:
                    self._lines[(*path, name)] = node.position
                    content[name] = value
        return content

    def _name(self, key: Node) -> str:
        if key.items or key.tag in MAPPINGS | SEQUENCES:
            raise RefusedYAML(key.position, "a key must be a name, not a list or a mapping")
        return str(self._scalar(key))

    def _scalar(self, node: Node) -> str | int | float | bool | None:
        """A value of a type that JSON has."""
        if node.tag in (f"{CORE}str", MERGE):
            return node.text
        kind = node.tag.removeprefix(CORE)
        try:
            constructed = getattr(self._scalars, f"construct_yaml_{kind}")(
                ScalarNode(node.tag, node.text)
            )
        except (ValueError, KeyError, IndexError) as error:
            rule = f"{node.text[:50]!r} cannot be read as {kind}: {error}"
            raise RefusedYAML(node.position, rule) from error
        plain: str | int | float | bool | None = constructed
        return plain


def _of_pairs(node: Node) -> list[tuple[Node, Node]]:
    """Keys and values of an ordered mapping, which is written as a list of mappings of one key."""
    pairs: list[tuple[Node, Node]] = []
    for item in node.items:
        if item.tag not in MAPPINGS or len(item.items) != 2:
            raise RefusedYAML(item.position, "an !!omap is a list of mappings of a single key")
        pairs += item.pairs()
    return pairs


def location(file: str, path: KeyPath, lines: Lines) -> str:
    """Where a path stands in the file, like "grid.yaml:12: text[1].tfidf.ngrams"."""
    # what was given as a mapping has no lines
    where = f"{file}:{position_of(path, lines).line}" if lines or not path else file
    return where + (f": {dotted(path)}" if path else "")


def position_of(path: KeyPath, lines: Lines) -> Position:
    """Where a path stands in the file, or what of it stands there."""
    known = path
    while known and known not in lines:
        known = known[:-1]
    return lines.get(known, START)


def dotted(path: KeyPath) -> str:
    """A path as it is written, like "text[1].tfidf.ngrams"."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).lstrip(".")
