"""JSON Schema of a grid file, made from the registries, so that editors complete and check it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from features import IMAGE_ENCODERS, TEXT_ENCODERS
from models import CLASSIFIERS, FUSIONS
from pipeline.config.data_key import CLASS_TEXTS_SCHEMA, DATA_KEYS
from pipeline.config.grid import TASKS, Run, TrackerName
from pipeline.config.parameters import model_of
from pipeline.config.reading.docstrings import Described, names_of, parameter_descriptions, summary
from pipeline.data.row_check import MISSING_GROUPS, POLICIES
from pipeline.data.sources import SOURCES
from pipeline.metrics import METRICS_OF
from pipeline.metrics.same_class import EXTRA_METRICS, OF_RANKS

JsonSchema = dict[str, Any]
_SIZE: JsonSchema = {"type": "number", "exclusiveMinimum": 0}
_SHARE: JsonSchema = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
NAME = r"[\w][\w.-]*"  # of a run, and so of its folder


def schema(keys: Mapping[str, str], split: type[BaseModel]) -> JsonSchema:
    """JSON Schema (draft 2020-12) of the grid; `keys` maps each top key to its description."""
    parts: JsonSchema = {}
    properties: dict[str, JsonSchema] = {
        "name": {"type": "string", "pattern": f"^{NAME}$"},
        "task": {**names_of(TASKS), "default": "classification"},
        "plugins": _or_list({"type": "string"}),
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "default": 0},
        "data": {"anyOf": _sources(parts)},
        "split": split.model_json_schema(schema_generator=Described),
        "image": _with_sets(_list_of("image-encoder", "encoder", IMAGE_ENCODERS, parts)),
        "text": _with_sets(_list_of("text-encoder", "encoder", TEXT_ENCODERS, parts)),
        "fusion": _list_of("fusion", "fusion", FUSIONS, parts),
        "classifier": _list_of("classifier", "classifier", CLASSIFIERS, parts),
        "metric": names_of(_metrics()),
        "tuning_metric": names_of(_metrics()),
        "extra_metrics": {"type": "array", "items": names_of(_extra_metrics())},
        "rope": {"anyOf": [_SIZE, _by_metric(_SIZE)]},
        "learning_curve": {"type": "array", "items": _SHARE},
        "track": {"enum": list(get_args(TrackerName))},
        "run": Run.model_json_schema(schema_generator=Described),
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


def _metrics() -> dict[str, str]:
    """What each metric that a grid may rank by is."""
    described: dict[str, str] = {}
    for task, metrics in METRICS_OF.items():
        described |= {
            name: f"{task}: {summary(metric.function)}" for name, metric in metrics.items()
        }
    return described


def _extra_metrics() -> dict[str, str]:
    return {
        name: f"of the training rows nearest by {space}: {summary(OF_RANKS[metric].function)}"
        for name, (space, metric) in EXTRA_METRICS.items()
    }


def _by_metric(value: JsonSchema) -> JsonSchema:
    properties = {
        name: {**value, "description": f"the smallest difference in {name} that matters"}
        for name in _metrics()
    }
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _parameters(cls: type, parts: JsonSchema) -> tuple[dict[str, JsonSchema], list[str]]:
    """Properties and required keys of a component; types they refer to are added to `parts`."""
    model = model_of(cls).model_json_schema(schema_generator=Described)
    parts.update(model.get("$defs", {}))
    texts, properties = parameter_descriptions(cls), model.get("properties", {})
    for name, part in properties.items():
        if name in texts:
            part["description"] = texts[name]
    return properties, list(model.get("required", []))


def _sources(parts: JsonSchema) -> list[JsonSchema]:
    described = (_source(name, cls, parts) for name, cls in SOURCES.items())
    return [names_of(_summaries(SOURCES)), *described]


def _source(name: str, cls: type, parts: JsonSchema) -> JsonSchema:
    properties, required = _parameters(cls, parts)
    return {
        "type": "object",
        "description": summary(cls),
        "properties": {
            "source": {"const": name, "description": f"{name}: {summary(cls)}"},
            **_of_any_source(),
            **properties,
        },
        "required": ["source", *required],
        "additionalProperties": False,
    }


def _of_any_source() -> JsonSchema:
    """The keys of `data` that are not a source's own."""
    keys: JsonSchema = {
        "on_bad_rows": {**names_of(POLICIES), "default": "fail"},
        "keep_unlabelled": {"type": "boolean", "default": False},
        "missing_group": {**names_of(MISSING_GROUPS), "default": "own"},
        "class_texts": CLASS_TEXTS_SCHEMA,
    }
    return {name: {**part, "description": DATA_KEYS[name]} for name, part in keys.items()}


def _summaries(registry: Mapping[str, type]) -> dict[str, str]:
    return {name: summary(cls) for name, cls in registry.items()}


def _list_of(title: str, kind: str, registry: Mapping[str, type], parts: JsonSchema) -> JsonSchema:
    """One component or a list of them."""
    forms: list[JsonSchema] = [names_of(_summaries(registry))]
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


def _or_list(value: JsonSchema) -> JsonSchema:
    """A value, or a list of those that are compared; described once, outside."""
    bare = {name: part for name, part in value.items() if name != "description"}
    either: JsonSchema = {"anyOf": [bare, {"type": "array", "items": bare}]}
    return {**either, **({"description": value["description"]} if "description" in value else {})}


def _forms(kind: str, name: str, cls: type, parts: JsonSchema) -> list[JsonSchema]:
    """`{name: {key: value}}` and `{kind: name, key: value}`; lists of values are compared."""
    single, required = _parameters(cls, parts)
    properties = {key: _or_list(value) for key, value in single.items()}
    about = summary(cls)
    inner = {"type": ["object", "null"], "properties": properties, "required": required,
             "additionalProperties": False}
    return [
        {
            "type": "object",
            "description": about,
            "properties": {name: {**inner, "description": about}},
            "required": [name],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "description": about,
            "properties": {kind: {"const": name, "description": f"{name}: {about}"}, **properties},
            "required": [kind, *required],
            "additionalProperties": False,
        },
    ]
