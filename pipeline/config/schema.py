"""JSON Schema of a grid file, made from the registries, so that editors complete and check it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from models import CLASSIFIERS, FUSIONS
from pipeline.config.data_key import CLASS_TEXTS_SCHEMA
from pipeline.config.grid import GridTask, Run, TrackerName
from pipeline.config.parameters import model_of
from pipeline.data.row_check import MissingGroup, Policy
from pipeline.data.sources import SOURCES
from pipeline.metrics import METRICS_OF
from pipeline.metrics.same_class import EXTRA_METRICS

JsonSchema = dict[str, Any]
_SIZE: JsonSchema = {"type": "number", "exclusiveMinimum": 0}
_SHARE: JsonSchema = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
_METRICS = sorted({*METRICS_OF["classification"], *METRICS_OF["retrieval"]})
NAME = r"[\w][\w.-]*"  # of a run, and so of its folder


def schema(keys: Mapping[str, str], split: type[BaseModel]) -> JsonSchema:
    """JSON Schema (draft 2020-12) of the grid; `keys` maps each top key to its description."""
    parts: JsonSchema = {}
    properties: dict[str, JsonSchema] = {
        "name": {"type": "string", "pattern": f"^{NAME}$"},
        "task": {"enum": list(get_args(GridTask)), "default": "classification"},
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "default": 0},
        "data": {
            "anyOf": [
                {"enum": sorted(SOURCES)},
                *(_source(name, cls, parts) for name, cls in SOURCES.items()),
            ]
        },
        "split": split.model_json_schema(),
        "image": _with_sets(_list_of("image-encoder", "encoder", IMAGE_ENCODERS, parts)),
        "text": _with_sets(_list_of("text-encoder", "encoder", TEXT_ENCODERS, parts)),
        "fusion": _list_of("fusion", "fusion", FUSIONS, parts),
        "classifier": _list_of("classifier", "classifier", CLASSIFIERS, parts),
        "metric": {"enum": _METRICS},
        "tuning_metric": {"enum": _METRICS},
        "extra_metrics": {"type": "array", "items": {"enum": sorted(EXTRA_METRICS)}},
        "rope": {"anyOf": [_SIZE, _by_metric(_SIZE)]},
        "learning_curve": {"type": "array", "items": _SHARE},
        "track": {"enum": list(get_args(TrackerName))},
        "run": Run.model_json_schema(),
    }
    described = {key: {**properties[key], "description": said} for key, said in keys.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "modalgrid grid",
        "type": "object",
        "properties": described,
        "required": ["data"],
        "additionalProperties": False,
        "$defs": parts,
    }


def _by_metric(value: JsonSchema) -> JsonSchema:
    properties = dict.fromkeys(_METRICS, value)
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _parameters(cls: type, parts: JsonSchema) -> tuple[dict[str, JsonSchema], list[str]]:
    """Properties and required keys of a component; types they refer to are added to `parts`."""
    model = model_of(cls).model_json_schema()
    parts.update(model.get("$defs", {}))
    properties = {key: {name: part for name, part in value.items() if name != "title"}
                  for key, value in model.get("properties", {}).items()}
    return properties, list(model.get("required", []))


def _source(name: str, cls: type, parts: JsonSchema) -> JsonSchema:
    properties, required = _parameters(cls, parts)
    policy = {"enum": list(get_args(Policy)), "default": "fail"}
    return {
        "type": "object",
        "description": _summary(cls),
        "properties": {
            "source": {"const": name},
            "on_bad_rows": policy,
            "keep_unlabelled": {"type": "boolean", "default": False},
            "missing_group": {"enum": list(get_args(MissingGroup)), "default": "own"},
            "class_texts": CLASS_TEXTS_SCHEMA,
            **properties,
        },
        "required": ["source", *required],
        "additionalProperties": False,
    }


def _summary(cls: type) -> str:
    return (cls.__doc__ or "").strip().split("\n")[0]


def _list_of(title: str, kind: str, registry: Mapping[str, type], parts: JsonSchema) -> JsonSchema:
    """One component or a list of them."""
    forms: list[JsonSchema] = [{"enum": sorted(registry)}]
    for name, cls in registry.items():
        forms += _forms(kind, name, cls, parts)
    parts[title] = {"anyOf": forms}
    component = {"$ref": f"#/$defs/{title}"}
    return {"anyOf": [component, {"type": "array", "items": component}]}


def _with_sets(encoders: JsonSchema) -> JsonSchema:
    """The same where a list in the list stands for encoders that are used together."""
    component, listed = encoders["anyOf"]
    together = {"type": "array", "items": component, "minItems": 2, "uniqueItems": True}
    return {"anyOf": [component, {**listed, "items": {"anyOf": [component, together]}}]}


def _forms(kind: str, name: str, cls: type, parts: JsonSchema) -> list[JsonSchema]:
    """`{name: {key: value}}` and `{kind: name, key: value}`; lists of values are compared."""
    single, required = _parameters(cls, parts)
    properties = {
        key: {"anyOf": [value, {"type": "array", "items": value}]} for key, value in single.items()
    }
    inner = {"type": ["object", "null"], "properties": properties, "required": required,
             "additionalProperties": False}
    return [
        {
            "type": "object",
            "description": _summary(cls),
            "properties": {name: inner},
            "required": [name],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "description": _summary(cls),
            "properties": {kind: {"const": name}, **properties},
            "required": [kind, *required],
            "additionalProperties": False,
        },
    ]
