"""What the pages say of each component's keys: read from its docstring and from its types."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from models import CLASSIFIERS, FUSIONS
from pipeline.config.parameters import SET_BY_PIPELINE, model_of, parameters_of
from pipeline.config.reading.docstrings import entries
from pipeline.data.sources import SOURCES

REGISTRIES: dict[str, Mapping[str, type]] = {
    "source": SOURCES,
    "image": IMAGE_ENCODERS,
    "text": TEXT_ENCODERS,
    "fusion": FUSIONS,
    "classifier": CLASSIFIERS,
}
UNDERLINE = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)
# "see CCA", "see features.texts.tokenizer.Tokenizer; ..." in place of a description
SEE = re.compile(r"^see ([A-Za-z_][\w.]*\w)[.;,]?\s*")
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Key:
    """A key of the grid: its name, what it may be, its default (None: it must be given)."""

    name: str
    allowed: str
    default: str | None


@dataclass(frozen=True)
class KeyGroup:
    """Keys that a docstring describes together."""

    keys: tuple[Key, ...]
    meaning: str


@dataclass(frozen=True)
class Reference:
    """A component: its description, paragraph by paragraph, and its keys.

    `inner` are those of keys whose values have keys of their own, by name.
    """

    name: str
    paragraphs: tuple[str, ...]
    groups: tuple[KeyGroup, ...]
    inner: Mapping[str, tuple[KeyGroup, ...]]


def reference(kind: str, name: str) -> Reference:
    """What is said of a component. Raises KeyError for one that there is not."""
    cls = REGISTRIES[kind][name]
    text = inspect.getdoc(cls) or ""
    paragraphs = tuple(sections(text)[""].strip().split("\n\n"))
    return Reference(name, paragraphs, tuple(groups(cls)), dict(_inner(cls)))


def sections(text: str) -> dict[str, str]:
    """Parts of a docstring by their underlined headings; what stands before them under ""."""
    before, *rest = UNDERLINE.split(text)
    return {"": before, **dict(zip(rest[::2], rest[1::2], strict=True))}


def described(docstring: str) -> dict[tuple[str, ...], str]:
    """The names of parameters that a docstring describes together -> the text."""
    return dict(entries(docstring))


def groups(cls: type) -> Iterator[KeyGroup]:
    """The keys that a grid may give to a class, in the order of its docstring, then the others.

    Raises LookupError for a key that no docstring describes.
    """
    keys = dict(_keys(cls))
    for names, text in _described_with_bases(cls).items():
        given = [name for name in names if name in keys]
        if given:
            members = tuple(keys.pop(name) for name in given)
            yield KeyGroup(members, _resolved(cls, given[0], text))
    if keys:
        raise LookupError(f"{cls.__name__} does not say what {', '.join(keys)} is")


def _described_with_bases(cls: type) -> dict[tuple[str, ...], str]:
    texts: dict[tuple[str, ...], str] = {}
    for base in cls.__mro__:
        known = set(chain.from_iterable(texts))
        docstring = inspect.cleandoc(vars(base).get("__doc__") or "")
        texts |= {
            names: text for names, text in described(docstring).items() if not known & set(names)
        }
    return texts


def _inner(cls: type) -> Iterator[tuple[str, tuple[KeyGroup, ...]]]:
    """Keys of values that have some of their own, where a docstring describes these."""
    schema = model_of(cls).model_json_schema()
    parts = schema.get("$defs", {})
    for name, part in schema.get("properties", {}).items():
        referred = [option["$ref"] for option in part.get("anyOf", [part]) if "$ref" in option]
        for reference_to in referred:
            inner = parts[reference_to.rpartition("/")[2]]
            keys = {
                key: Key(key, allowed(value, parts), _default(value))
                for key, value in inner.get("properties", {}).items()
            }
            texts = described(inner.get("description", ""))
            if texts and name not in SET_BY_PIPELINE:
                yield name, tuple(
                    KeyGroup(tuple(keys[key] for key in names), text)
                    for names, text in texts.items()
                )


def _default(part: Schema) -> str | None:
    return plain(part["default"]) if "default" in part else None


def _resolved(cls: type, name: str, text: str) -> str:
    """The text, or where it only points to another class, what that says of the same name."""
    start = SEE.match(text)
    other = _class_named(cls, start[1]) if start else None
    if start is None or other is None:
        return text
    for names, there in _described_with_bases(other).items():
        if name in names:
            return " ".join([_resolved(other, name, there), text[start.end():]]).strip()
    return text


def _class_named(cls: type, dotted: str) -> type | None:
    """A class by the name that a docstring of another class gives it."""
    module, _, name = dotted.rpartition(".")
    modules = [module] if module else [base.__module__ for base in cls.__mro__]
    parts = chain.from_iterable(registry.values() for registry in REGISTRIES.values())
    registered = {part.__name__: part for part in parts}
    candidates = [_imported(module, name) for module in modules] + [registered.get(name)]
    return next((other for other in candidates if isinstance(other, type)), None)


def _imported(module: str, name: str) -> Any:
    if module not in sys.modules:
        try:
            __import__(module)
        except ImportError:
            return None
    return getattr(sys.modules[module], name, None)


def _keys(cls: type) -> Iterator[tuple[str, Key]]:
    schema = model_of(cls).model_json_schema()
    defaults = parameters_of(cls)
    for name, part in schema.get("properties", {}).items():
        if name in SET_BY_PIPELINE:
            continue
        default = defaults[name][1]
        tuned = getattr(cls, "tuned", {}).get(name)
        shown = None if default is ... else plain(default)
        if tuned:
            shown = f"chosen among {', '.join(map(plain, tuned))}"
        yield name, Key(name, allowed(part, schema.get("$defs", {})), shown)


def plain(value: Any) -> str:
    """A value as a grid writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(plain, value))}]"
    return str(value) if str(value) else '""'


def allowed(part: Schema, parts: Mapping[str, Schema]) -> str:
    """What a JSON Schema lets a value be, in words; `parts` are those it refers to by name."""
    if "$ref" in part:
        return allowed(parts[part["$ref"].rpartition("/")[2]], parts)
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(allowed(option, parts) for option in part["anyOf"]))
    if "enum" in part or "const" in part:
        return ", ".join(map(plain, part.get("enum", [part.get("const")])))
    kind = part.get("type")
    if kind == "array":
        return _list(part, parts)
    if kind == "object":
        names = ", ".join(part.get("properties", {}))
        return f"keys {names}" if names else "a mapping"
    words = {"string": "text", "boolean": "true, false", "integer": "whole number"}
    word = "path" if part.get("format") == "path" else words.get(str(kind), str(kind))
    return word + _bounds(part)


def _list(part: Schema, parts: Mapping[str, Schema]) -> str:
    members = part.get("prefixItems") or [part.get("items", {})]
    count = f"{len(members)} of " if "prefixItems" in part else "list of "
    return count + " or ".join(dict.fromkeys(allowed(member, parts) for member in members))


def _bounds(part: Schema) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {part[name]:g}" for name, sign in signs.items() if name in part]
    return f" {', '.join(limits)}" if limits else ""

