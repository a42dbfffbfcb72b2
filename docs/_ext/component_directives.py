"""Directives that write what the source says of a grid's keys: components, grid-keys, data-keys."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any, ClassVar

from component_reference import (
    REGISTRIES,
    Key,
    KeyGroup,
    Reference,
    allowed,
    described,
    plain,
    reference,
    sections,
)
from docutils import nodes
from docutils.parsers.rst import Directive
from pydantic import BaseModel
from sphinx.application import Sphinx

from pipeline.config.grid import Run, Split
from pipeline.config.parse import KEYS
from pipeline.config.schema import schema

MODELS: dict[str, type[BaseModel]] = {"split": Split, "run": Run}
# Lines that are aligned or indented are formulas and must stay as they are.
ALIGNED = re.compile(r"^ |\S {2,}\S", re.MULTILINE)
BULLET = re.compile(r"^- ", re.MULTILINE)
SOURCE_KEYS = ("on_bad_rows", "keep_unlabelled", "missing_group", "class_texts")
DATA_KEYS = {
    "on_bad_rows": "what becomes of bad rows: the run stops with a list (fail), they are left out "
    "and listed (drop), or those without a usable picture or text are kept, with it marked missing",
    "keep_unlabelled": "whether rows without a label stay; they are never scored, and only "
    "`semi_supervised`, `cca` and `contrastive` learn from them",
    "missing_group": "whether rows without a value in the group's column are groups of their own",
    "class_texts": "",  # its schema says it
}


def inline(text: str) -> list[nodes.Node]:
    """Text nodes, with what stands in backticks as code."""
    parts = re.split(r"`([^`]+)`", text)
    return [
        nodes.literal(part, part) if number % 2 else nodes.Text(part)
        for number, part in enumerate(parts)
        if part
    ]


def paragraph(text: str) -> nodes.Node:
    """A paragraph of a docstring: words, a list, or formulas as they stand."""
    if text.startswith("- "):
        items = [" ".join(item.split()) for item in BULLET.split(text)[1:]]
        bullets = [nodes.list_item("", nodes.paragraph("", "", *inline(item))) for item in items]
        return nodes.bullet_list("", *bullets)
    if ALIGNED.search(text):
        return nodes.literal_block(text, text, language="none")
    return nodes.paragraph("", "", *inline(" ".join(text.split())))


def table(head: Sequence[str], rows: Iterable[Sequence[nodes.entry]]) -> nodes.table:
    """A table; a row may lack cells that one above spans."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    titles = [nodes.entry("", nodes.paragraph(name, name)) for name in head]
    group += nodes.thead("", nodes.row("", *titles))
    group += nodes.tbody("", *(nodes.row("", *cells) for cells in rows))
    return nodes.table("", group, classes=["keys"])


def cell(text: str, code: bool = False, **attributes: Any) -> nodes.entry:
    """A cell of a table."""
    content = [nodes.literal(text, text)] if code else inline(text)
    return nodes.entry("", nodes.paragraph("", "", *content), **attributes)


def key_table(groups: Sequence[KeyGroup]) -> nodes.table:
    """Keys, what they may be, their defaults, and what they mean where that is said key by key."""
    head = ["key", "may be", "default"]
    if any(group.meaning for group in groups):
        head.append("meaning")
    return table(head, (cells[: len(head)] for cells in _key_rows(groups)))


def _key_rows(groups: Iterable[KeyGroup]) -> Iterator[list[nodes.entry]]:
    for group in groups:
        spans = {"morerows": len(group.keys) - 1} if len(group.keys) > 1 else {}
        for number, key in enumerate(group.keys):
            cells = [
                cell(key.name, code=True),
                cell(key.allowed),
                cell("must be given") if key.default is None else cell(key.default),
            ]
            if not number:
                cells.append(cell(group.meaning, **spans))
            yield cells


def component_nodes(said: Reference) -> Iterator[nodes.Node]:
    """All that is said of a component."""
    for text in said.paragraphs:
        yield paragraph(text)
    if said.groups:
        yield key_table(said.groups)
    for name, groups in said.inner.items():
        yield nodes.paragraph("", "", *inline(f"Keys of `{name}`:"))
        yield key_table(groups)


class Components(Directive):
    """A section for each component of a kind."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """The sections."""
        return [self._section(self.arguments[0], name) for name in REGISTRIES[self.arguments[0]]]

    def _section(self, kind: str, name: str) -> nodes.section:
        anchor = nodes.make_id(f"{kind}-{name}")
        section = nodes.section("", nodes.title(name, name), ids=[anchor], names=[anchor])
        section += list(component_nodes(reference(kind, name)))
        self.state.document.note_explicit_target(section)
        return section


class GridKeys(Directive):
    """The top keys of a grid."""

    def run(self) -> list[nodes.Node]:
        """A table."""
        rows = ([cell(key, code=True), cell(said)] for key, said in KEYS.items())
        return [table(("key", "meaning"), rows)]


class SectionKeys(Directive):
    """The keys of a top key that has some of its own."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Its description, and a table."""
        model = MODELS[self.arguments[0]]
        properties, docstring = model.model_json_schema()["properties"], inspect.getdoc(model) or ""
        meanings = dict(chain.from_iterable(
            zip(names, repeat(text)) for names, text in described(docstring).items()
        ))
        filled_in = model().model_dump()  # some defaults depend on what is given
        keys = [
            Key(name, allowed(part, {}), plain(filled_in[name]))
            for name, part in properties.items()
        ]
        groups = [KeyGroup((key,), meanings.get(key.name, "")) for key in keys]
        texts = sections(docstring)[""].strip().split("\n\n")
        return [*map(paragraph, texts), key_table(groups)]


class DataKeys(Directive):
    """The keys under `data` that go with every source."""

    def run(self) -> list[nodes.Node]:
        """A table."""
        source = schema(KEYS, Split)["properties"]["data"]["anyOf"][1]["properties"]
        groups = []
        for name in SOURCE_KEYS:
            part = source[name]
            key = Key(name, allowed(part, {}), plain(part.get("default")))
            groups.append(KeyGroup((key,), DATA_KEYS[name] or part["description"]))
        return [key_table(groups)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    for name, directive in {
        "components": Components,
        "grid-keys": GridKeys,
        "section-keys": SectionKeys,
        "data-keys": DataKeys,
    }.items():
        app.add_directive(name, directive)
    return {"parallel_read_safe": True}
