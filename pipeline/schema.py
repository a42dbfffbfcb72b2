"""JSON Schema of a grid file, put together from the registries, so that editors complete and check it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from models import CLASSIFIERS, FUSIONS
from pipeline.components import model_of
from pipeline.metrics import METRICS
from pipeline.sources import SOURCES

JsonSchema = dict[str, Any]


def schema(keys: Mapping[str, str], split: type[BaseModel]) -> JsonSchema:
    """JSON Schema (draft 2020-12) of the grid; `keys` maps each top key to its description."""
    properties: dict[str, JsonSchema] = {
        "name": {"type": "string", "pattern": r"^[\w][\w.-]*$"},
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "default": 0},
        "data": {"oneOf": [_source(name, cls) for name, cls in SOURCES.items()]},
        "split": split.model_json_schema(),
        "image": _list_of("encoder", IMAGE_ENCODERS),
        "text": _list_of("encoder", TEXT_ENCODERS),
        "fusion": _list_of("fusion", FUSIONS),
        "classifier": _list_of("classifier", CLASSIFIERS),
        "metric": {"enum": sorted(METRICS), "default": "balanced_accuracy"},
    }
    for key, description in keys.items():
        properties[key]["description"] = description
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "modalgrid grid",
        "type": "object",
        "properties": properties,
        "required": ["data", "fusion"],
        "additionalProperties": False,
    }


def _parameters(cls: type, comparable: bool = True) -> tuple[dict[str, JsonSchema], list[str]]:
    """Properties and required keys of a component; with `comparable`, each value may also be a list."""
    model = model_of(cls).model_json_schema()
    properties = {key: {name: part for name, part in value.items() if name != "title"}
                  for key, value in model.get("properties", {}).items()}
    if comparable:
        properties = {key: {"anyOf": [value, {"type": "array", "items": value}]}
                      for key, value in properties.items()}
    return properties, list(model.get("required", []))


def _source(name: str, cls: type) -> JsonSchema:
    properties, required = _parameters(cls, comparable=False)
    policy = {"enum": ["fail", "drop", "keep"], "default": "fail"}
    return {
        "type": "object",
        "description": (cls.__doc__ or "").strip().split("\n")[0],
        "properties": {"source": {"const": name}, "on_bad_rows": policy, **properties},
        "required": ["source", *required],
        "additionalProperties": False,
    }


def _list_of(kind: str, registry: Mapping[str, type]) -> JsonSchema:
    forms = [form for name, cls in registry.items() for form in _forms(kind, name, cls)]
    one = {"anyOf": [{"enum": sorted(registry)}, *forms]}
    return {"anyOf": [one, {"type": "array", "items": one}]}


def _forms(kind: str, name: str, cls: type) -> list[JsonSchema]:
    """`{name: {key: value}}` and `{kind: name, key: value}`."""
    properties, required = _parameters(cls)
    description = (cls.__doc__ or "").strip().split("\n")[0]
    inner = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return [
        {"type": "object", "description": description, "properties": {name: inner}, "required": [name],
         "additionalProperties": False},
        {"type": "object", "description": description, "properties": {kind: {"const": name}, **properties},
         "required": [kind, *required], "additionalProperties": False},
    ]
