"""What docstrings say of parameters: descriptions for the grid's JSON Schema."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from reports.wording import capitalize_first

SECTION = re.compile(
    r"^Parameters\n-+\n(?P<text>.*?)(?=^\S[^\n]*\n-+\n|\Z)", re.DOTALL | re.MULTILINE
)
REFERENCE = re.compile(r"see (?P<name>[\w.]*\w)(?:\.|[.;] (?P<more>.*))?")
ENTRY = re.compile(r"^(?P<names>\w+(?:,\s+\w+)*) : (?P<text>.*(?:\n+[ ]{2,}.*)*)", re.MULTILINE)


@cache
def parameter_descriptions(cls: Any) -> Mapping[str, str]:
    """What the docstrings of a class and its bases say of its parameters, by name (numpydoc).

    The same of a function.
    """
    described: dict[str, str] = {}
    for base in getattr(cls, "__mro__", (cls,)):
        for names, text in entries(inspect.cleandoc(base.__doc__ or "")):
            there, more = _referred_to(text, base)
            for name in names:
                described.setdefault(name, f"{there[name]}{more}" if name in there else text)
    return described


def entries(docstring: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The names of parameters that a docstring describes together, and the text, as one line.

    Parameters
    ----------
    docstring : without the indentation of its lines.
    """
    section = SECTION.search(docstring)
    for entry in ENTRY.finditer(section["text"] if section else ""):
        yield tuple(re.split(r",\s+", entry["names"])), " ".join(entry["text"].split())


def _referred_to(text: str, cls: type) -> tuple[Mapping[str, str], str]:
    """What is said elsewhere, of a text like "see CNN. And more.", and the rest of the text.

    A name without a module is one that the module of the class knows.
    """
    reference = REFERENCE.fullmatch(text)
    if reference is None:
        return {}, ""
    module, _, name = reference["name"].rpartition(".")
    try:
        part = getattr(import_module(module or cls.__module__), name, None)
    except ImportError:
        return {}, ""
    if part is None or part is cls:
        return {}, ""
    more = reference["more"]
    return parameter_descriptions(part), f" {capitalize_first(more)}" if more else ""


def summary(part: type | Callable[..., object]) -> str:
    """The first paragraph of a docstring, as a line; empty where there is none."""
    return " ".join(inspect.cleandoc(part.__doc__ or "").split("\n\n")[0].split())


def names_of(parts: Mapping[Any, str]) -> JsonSchemaValue:
    """One of some names, each with what it means, which editors show beside it."""
    names = sorted(parts)
    return {"enum": names, "enumDescriptions": [parts[name] for name in names]}


class Described(GenerateJsonSchema):
    """pydantic's schema of a model, with descriptions of its docstring's parameters."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """See GenerateJsonSchema."""
        return _described(super().model_schema(schema), schema["cls"])

    def typed_dict_schema(self, schema: Any) -> JsonSchemaValue:
        """See GenerateJsonSchema."""
        made = super().typed_dict_schema(schema)
        return _described(made, schema["cls"]) if "cls" in schema else made

    def dataclass_schema(self, schema: Any) -> JsonSchemaValue:
        """See GenerateJsonSchema."""
        return _described(super().dataclass_schema(schema), schema["cls"])


def _described(made: JsonSchemaValue, cls: type) -> JsonSchemaValue:
    texts = parameter_descriptions(cls)
    for name, part in made.get("properties", {}).items():
        if name in texts:
            part.setdefault("description", texts[name])
        part.pop("title", None)
    if "description" in made:
        made["description"] = summary(cls)
    return made
