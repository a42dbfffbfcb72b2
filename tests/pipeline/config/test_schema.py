"""Every key of the grid's JSON Schema is described, and every name that it may have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from models import CLASSIFIERS, FUSIONS
from pipeline.config.grid import Split
from pipeline.config.parse import KEYS
from pipeline.config.plugins.active import activate
from pipeline.config.schema import schema
from pipeline.data.sources import SOURCES
from pipeline.metrics import METRICS
from tests.support.extending import write_own

NAMES = {*IMAGE_ENCODERS, *TEXT_ENCODERS, *FUSIONS, *CLASSIFIERS, *SOURCES, *METRICS}


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """All objects of a schema."""
    if isinstance(node, dict):
        yield node
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(part)


def properties(node: Any) -> list[tuple[str, dict[str, Any]]]:
    """All properties of a schema, by name."""
    described: list[tuple[str, dict[str, Any]]] = []
    for inner in nodes(node):
        of_object = inner.get("properties")
        if isinstance(of_object, dict):
            described += [item for item in of_object.items() if isinstance(item[1], dict)]
    return described


def bad(name: str, part: dict[str, Any]) -> bool:
    text = str(part.get("description", ""))
    return len(text) < 8 or text.strip(" .").lower() in (name, name.replace("_", " "))


def test_every_key_is_described_and_by_more_than_its_name():
    described = properties(schema(KEYS, Split))
    assert len(described) > 400
    assert [name for name, part in described if bad(name, part)] == []


def test_every_name_is_explained():
    enums = [node for node in nodes(schema(KEYS, Split)) if "enumDescriptions" in node]
    explained: dict[str, str] = {}
    for node in enums:
        explained |= dict(zip(node["enum"], node["enumDescriptions"], strict=True))
    assert explained.keys() >= NAMES
    assert [name for name, text in explained.items() if len(text) < 8] == []


def test_choices_of_values_stand_in_keys_that_are_described():
    """`mean`, `product` and the like: what they are is said of their key."""
    bare = [
        name
        for name, part in properties(schema(KEYS, Split))
        if "enum" in str(part) and bad(name, part)
    ]
    assert bare == []


@pytest.fixture
def grid_file(tmp_path):
    yield write_own(tmp_path)
    activate((), tmp_path)


def test_the_parts_of_a_plugin_are_described_by_their_docstrings(grid_file):
    activate(["my_parts"], grid_file.parent)
    made = schema(KEYS, Split)
    described = dict(properties(made))
    assert described["bins"]["description"] == "of the histogram."
    assert described["brightness"]["description"].startswith("How bright a picture is")
    assert [name for name, part in properties(made) if bad(name, part)] == []
