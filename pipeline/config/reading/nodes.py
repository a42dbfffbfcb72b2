"""YAML as nodes that know their line, built without recursion and within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.nodes import ScalarNode

CHARACTERS = 2**19  # of a file: its reader takes a second or two for them
DEEPEST = 64  # levels of mappings and lists in each other
VALUES = 20_000  # with each alias counted as all that it stands for
CORE = "tag:yaml.org,2002:"
SCALARS = frozenset(f"{CORE}{name}" for name in ("str", "int", "float", "bool", "null"))
MAPPINGS, SEQUENCES = frozenset({f"{CORE}map"}), frozenset({f"{CORE}seq"})
SET, PAIRS, MERGE = f"{CORE}set", f"{CORE}omap", f"{CORE}merge"


class Position(NamedTuple):
    """Where something stands in a file, from 1."""

    line: int
    column: int = 1


START = Position(1)


class RefusedYAML(Exception):
    """What is wrong with a YAML file, and where."""

    def __init__(self, position: Position, rule: str) -> None:
        super().__init__(rule)
        self.position, self.rule = position, rule


@dataclass(eq=False)
class Node:
    """A value of a YAML file.

    Parameters
    ----------
    position : where it stands.
    tag : its kind, "tag:yaml.org,2002:int" say.
    text : of a scalar.
    items : of a list; of a mapping, keys and values in turn.
    size, height : values in it, itself included, and levels; aliases stand for what they name.
    """

    position: Position
    tag: str
    text: str = ""
    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 1

    def add(self, node: Node) -> None:
        """Put another one into it."""
        self.items.append(node)
        self.size += node.size
        self.height = max(self.height, node.height + 1)

    def pairs(self) -> Iterable[tuple[Node, Node]]:
        """Keys and values of a mapping."""
        return zip(self.items[::2], self.items[1::2], strict=True)


def nodes_of(text: str) -> Node | None:
    """The only document of a YAML text; None where it is empty.

    Raises
    ------
    RefusedYAML
        For more than a grid can be: too long, too deep, too many values, tags of programs.
    ruamel.yaml.error.YAMLError
        For text that is no YAML.
    """
    if len(text) > CHARACTERS:
        raise RefusedYAML(START, too_long(len(text), "characters"))
    reader = YAML(typ="safe", pure=True)
    builder = _Builder(reader)
    for event in reader.parse(text):
        builder.take(event)
    return builder.document


def too_long(size: int, unit: str) -> str:
    """What is said of a file that is no grid by its size."""
    return (
        f"has {size:,} {unit}; a grid has {CHARACTERS:,} characters at most: put rows and texts "
        "into files that it names"
    )


class _Builder:
    """Takes the parser's events one by one."""

    def __init__(self, reader: Any) -> None:
        self.document: Node | None = None
        self._reader, self._documents, self._values = reader, 0, 0
        self._open: list[tuple[Node, str | None]] = []
        self._named: dict[str, Node | None] = {}  # None: still open

    def take(self, event: Any) -> None:
        """One event; those that begin and end the stream say nothing."""
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise RefusedYAML(_position(event), "holds several documents (---): a grid is one")
        elif isinstance(event, AliasEvent):
            self._put(self._aliased(event))
        elif isinstance(event, ScalarEvent):
            node = Node(_position(event), self._scalar_tag(event), event.value)
            self._put(node, event.anchor)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._begin(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            node, anchor = self._open.pop()
            self._put(node, anchor)

    def _begin(self, event: Any) -> None:
        if len(self._open) >= DEEPEST:
            raise RefusedYAML(_position(event), f"is nested deeper than {DEEPEST} levels")
        is_mapping = isinstance(event, MappingStartEvent)
        known = MAPPINGS | {SET} if is_mapping else SEQUENCES | {PAIRS}
        tag = _known(event, known, f"{CORE}{'map' if is_mapping else 'seq'}")
        if event.anchor:
            self._named[event.anchor] = None
        self._open.append((Node(_position(event), tag), event.anchor))

    def _put(self, node: Node, anchor: str | None = None) -> None:
        if anchor:
            self._named[anchor] = node
        if not self._open:
            self.document = node
            return
        parent = self._open[-1][0]
        parent.add(node)
        if parent.size > VALUES:
            raise RefusedYAML(
                node.position, f"stands for more than {VALUES:,} values, aliases written out"
            )
        if len(self._open) + node.height > DEEPEST + 1:  # a scalar is no level
            rule = f"is nested deeper than {DEEPEST} levels by its aliases"
            raise RefusedYAML(node.position, rule)

    def _aliased(self, event: Any) -> Node:
        name = event.anchor
        if name not in self._named:
            raise RefusedYAML(_position(event), f"*{name} stands for nothing: no &{name} before it")
        node = self._named[name]
        if node is None:
            raise RefusedYAML(_position(event), f"*{name} stands within what it names")
        return node

    def _scalar_tag(self, event: Any) -> str:
        resolved = str(self._reader.resolver.resolve(ScalarNode, event.value, event.implicit))
        if resolved == MERGE and event.tag is None:
            return MERGE
        plain = resolved if resolved in SCALARS else f"{CORE}str"  # a date is its text
        return _known(event, SCALARS, plain)


def _known(event: Any, known: frozenset[str], plain: str) -> str:
    """The tag of an event, where it has one of its own; else the plain one."""
    if event.tag is None or event.tag == "!":
        return plain
    if event.tag not in known:
        tag = str(event.tag).replace(CORE, "!!")[:50]
        raise RefusedYAML(
            _position(event), f"the tag {tag} is none that a grid has: write plain keys and values"
        )
    return str(event.tag)


def _position(event: Any) -> Position:
    return Position(int(event.start_mark.line) + 1, int(event.start_mark.column) + 1)
