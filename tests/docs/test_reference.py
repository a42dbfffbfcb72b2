"""Every key of every component is described, and the pages show what the code checks by."""

from __future__ import annotations

import sys
from itertools import chain, product
from typing import Annotated, Any

import pytest
from pydantic import Field

from pipeline.config.parameters import parameters_of
from tests.support.paths import ROOT

sys.path.append(str(ROOT / "docs" / "_ext"))
from component_reference import REGISTRIES, allowed, groups, reference

COMPONENTS = list(chain.from_iterable(
    product([kind], registry) for kind, registry in REGISTRIES.items()
))


class Base:
    """What others share.

    Parameters
    ----------
    shared : of all.
    """


class Described(Base):
    """A component.

    Parameters
    ----------
    size, crop : of the picture,
        in pixels.
    model : see Base.
    """

    def __init__(
        self,
        *,
        size: Annotated[int, Field(ge=8)],
        crop: float | None = None,
        model: str = "a",
        shared: bool = True,
    ) -> None: ...


class Forgotten(Base):
    """A component.

    Parameters
    ----------
    size : of the picture.
    """

    def __init__(self, *, size: int = 1, left_out: int = 2) -> None: ...


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_every_key_of_a_component_is_described(kind: str, name: str):
    said = reference(kind, name)
    keys = [key.name for key in chain.from_iterable(group.keys for group in said.groups)]
    assert sorted(keys) == sorted(parameters_of(REGISTRIES[kind][name]))
    assert all(group.meaning for group in said.groups)
    assert said.paragraphs[0]


def test_keys_keep_their_order_types_and_defaults():
    size_and_crop, model, shared = groups(Described)
    assert size_and_crop.meaning == "of the picture, in pixels."
    assert [(key.name, key.allowed, key.default) for key in size_and_crop.keys] == [
        ("size", "whole number ≥ 8", None), ("crop", "number or null", "null")
    ]
    assert model.meaning == "see Base."  # which says nothing of it
    assert (shared.meaning, shared.keys[0].default) == ("of all.", "true")


def test_a_key_that_no_docstring_describes_is_an_error():
    with pytest.raises(LookupError, match="Forgotten does not say what left_out is"):
        list(groups(Forgotten))


def test_what_only_points_elsewhere_is_looked_up():
    meanings = {group.keys[0].name: group.meaning for group in reference("text", "tfidf").groups}
    assert meanings["min_df"].startswith("leave out terms that occur in fewer training texts")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 8}, "whole number ≥ 1, ≤ 8"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or null"),
        ({"enum": ["a", "b"], "type": "string"}, "a, b"),
        ({"type": "array", "prefixItems": [{"type": "number"}] * 3}, "3 of number"),
        ({"$ref": "#/$defs/Join"}, "keys path, on"),
    ],
)
def test_types_are_said_in_words(part: dict[str, Any], words: str):
    parts = {"Join": {"type": "object", "properties": {"path": {}, "on": {}}}}
    assert allowed(part, parts) == words
