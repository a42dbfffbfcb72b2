"""The documentation of the API, from its OpenAPI document: it needs no network to be read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.use.serving.page import HtmlPage, rendered


@dataclass(frozen=True)
class Operation:
    """A path of the API as the documentation shows it.

    Parameters
    ----------
    fields, parts : name, kind and description of each part of the request, and of the response.
    response : its shape.
    statuses : status and description of each response.
    """

    method: str
    path: str
    summary: str
    description: str
    example: str
    fields: tuple[tuple[str, str, str], ...]
    response: str
    parts: tuple[tuple[str, str, str], ...]
    statuses: tuple[tuple[str, str], ...]


def documentation(schema: Mapping[str, Any]) -> HtmlPage:
    """The page at /docs: what an OpenAPI document says."""
    return rendered(
        "docs.html", None, title=schema["info"]["title"], operations=tuple(_operations(schema))
    )


def _operations(schema: Mapping[str, Any]) -> Iterator[Operation]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            responses = operation["responses"]
            content = responses["200"].get("content", {})
            samples = operation.get("x-codeSamples", [])
            yield Operation(
                method.upper(), path, operation["summary"], operation.get("description", ""),
                samples[0]["source"] if samples else f"curl http://localhost:8000{path}",
                tuple(_fields(operation.get("requestBody", {}).get("content", {}), schema)),
                _response(content, schema),
                tuple(part for part in _fields(content, schema) if part[2]),
                tuple((status, response["description"]) for status, response in responses.items()),
            )


def _fields(
    contents: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Name, kind and description of what a request or a response holds."""
    for kind, content in contents.items():
        for name, described in _parts(content["schema"], schema):
            yield name, f"{kind}, {_kind(described)}", described.get("description", "")


def _parts(
    described: Mapping[str, Any], schema: Mapping[str, Any], before: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What a schema holds, by its path: items, items[].text."""
    described = _resolved(described, schema)
    if described.get("type") == "array":
        yield from _parts(described["items"], schema, f"{before}[].".removeprefix("[]."))
    for name, part in described.get("properties", {}).items():
        yield f"{before}{name}", part
        if part.get("type") == "array":
            yield from _parts(part, schema, f"{before}{name}")


def _response(content: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """The shape of a response, as JSON with kinds for values; empty for one that is no JSON."""
    if "application/json" not in content:
        return ""
    return json.dumps(_shape(content["application/json"]["schema"], schema), indent=2)


def _shape(described: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    described = _resolved(described, schema)
    if "properties" in described:
        return {
            name: _shape(part, schema) for name, part in described["properties"].items()
        }
    if described.get("type") == "array":
        return [_shape(described["items"], schema)]
    if isinstance(described.get("additionalProperties"), dict):
        return {"...": _shape(described["additionalProperties"], schema)}
    return _kind(described)


def _kind(described: Mapping[str, Any]) -> str:
    if "anyOf" in described:
        return " or ".join(_kind(part) for part in described["anyOf"])
    if "enum" in described:
        return " or ".join(map(str, described["enum"]))
    if described.get("contentMediaType") or described.get("format") == "binary":
        return "file"
    return str(described.get("type", "value"))


def _resolved(described: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in described:
        return described
    part: Any = schema
    for name in described["$ref"].removeprefix("#/").split("/"):
        part = part[name]
    return _resolved(part, schema)
