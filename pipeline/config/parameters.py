"""Parameters a grid may give: constructors' signatures are the rules for their keys and values."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Container, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError

from features.machine.nearest import did_you_mean
from pipeline.config.renamed import renamed_key

NO_TRUTH = "value should be a number, and true and false are none"
# Set by the pipeline, never by the grid: the form a fusion asks for, the seed, the classifier it
# wraps, how the encoders of a modality share its part.
SET_BY_PIPELINE = frozenset({"output", "random_state", "classifier", "encoder_shares"})


@cache
def parameters_of(cls: type) -> dict[str, tuple[Any, Any]]:
    """Parameters a grid may give to `cls`: name -> (type, default or ... where there is none)."""
    hints = _hints(cls)
    parameters = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        if name in SET_BY_PIPELINE or parameter.kind in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        parameters[name] = (hints.get(name, Any), default)
    return parameters


def _hints(cls: type) -> dict[str, Any]:
    """Types of a constructor's parameters.

    A dataclass's constructor is of the module that defines the class, while a field of a base class
    is to be read in that one's module: the fields tell it, the constructor does not.
    """
    of_cls: Any = cls
    for base in cls.__mro__:
        if "__dataclass_fields__" in vars(base) and vars(base).get("__init__") is of_cls.__init__:
            return typing.get_type_hints(base, include_extras=True)
    return typing.get_type_hints(of_cls.__init__, include_extras=True)


@cache
def model_of(cls: type) -> type[BaseModel]:
    """Pydantic model of the parameters a grid may give to `cls`."""
    fields: dict[str, Any] = parameters_of(cls)
    config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
    return create_model(cls.__name__, __config__=config, **fields)


def checked(cls: type, name: str, value: Any) -> tuple[Any, list[Any]]:
    """The value of one parameter as its type has it, or pydantic's errors, one a location."""
    try:
        parsed = _adapter(cls, name).validate_python(value)
    except ValidationError as error:
        return None, _by_location(value, error.errors())
    if is_truth_as_number(value, parsed):
        rule = f"{NO_TRUTH}, not {value!r}"
        return None, [{"type": "value_error", "loc": (), "ctx": {"error": rule}}]
    return parsed, []


def is_truth_as_number(value: object, parsed: object) -> bool:
    """Whether true or false, or one in a list, was taken for 1 or 0, which nobody means."""
    if isinstance(value, list | tuple) and isinstance(parsed, list | tuple):
        return any(map(is_truth_as_number, value, parsed))
    return isinstance(value, bool) and isinstance(parsed, int | float) and value is not parsed


def _by_location(value: Any, errors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Errors by where in the value they are: what could stand there is said in one.

    Where a type is this or that, pydantic has errors for each, with its name in the location. Of
    locations within each other the inner ones are kept: there the form was right.
    """
    by_location: dict[tuple[Any, ...], dict[str, Any]] = {}
    for error in errors:
        location = _location(value, error)
        known = by_location.setdefault(location, {**error, "loc": location})
        part = str(error["msg"]).removeprefix("Input should be ")
        if known["msg"] != error["msg"] and part not in known["msg"]:
            known["msg"] = f"{known['msg']} or {part}"
    return [
        error
        for location, error in by_location.items()
        if not any(_is_within(other, location) for other in by_location)
    ]


def _is_within(inner: tuple[Any, ...], outer: tuple[Any, ...]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _location(value: Any, error: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where in a value an error is, without the names of types."""
    location: list[Any] = []
    *before, last = error["loc"] or ("",)
    for part in before:
        if (isinstance(value, Mapping) and part in value) or (
            isinstance(value, list | tuple) and isinstance(part, int)
        ):
            location.append(part)
            value = value[part]
    is_key = error["type"] in ("missing", "extra_forbidden")
    is_there = isinstance(value, Mapping) and last in value
    if is_key or is_there or isinstance(last, int):
        location.append(last)
    return tuple(location)


@cache
def _adapter(cls: type, name: str) -> TypeAdapter[Any]:
    kind = parameters_of(cls)[name][0]
    try:
        return TypeAdapter(kind)
    except PydanticSchemaGenerationError as error:
        raise TypeError(
            f"{cls.__name__}: the type of parameter {name} cannot be checked: {error}"
        ) from error


def type_problem(cls: type, name: str) -> str:
    """Why the type of a parameter cannot be checked; empty where it can."""
    try:
        _adapter(cls, name)
    except (TypeError, NameError) as error:
        return str(error)
    return ""


@cache
def inner_keys(cls: type, name: str) -> frozenset[str]:
    """Keys of the object that a parameter's value is, where its type is such."""
    kind = parameters_of(cls)[name][0]
    models = (
        part
        for part in (kind, *typing.get_args(kind))
        if isinstance(part, type) and issubclass(part, BaseModel)
    )
    return frozenset[str]().union(*(model.model_fields for model in models))


def broken_rule(error: Mapping[str, Any], known: Container[str]) -> str:
    """The rule that a value breaks; `known` are the keys of the object that the value is."""
    if error["type"] == "extra_forbidden":
        key = error["loc"][-1]
        return renamed_key(key, known) or f"unknown key '{key}'"
    if error["type"] == "value_error":  # a component's own rule says all there is to say
        return str(error["ctx"]["error"])
    if error["type"] == "missing":
        key = error["loc"][-1]
        what = f"a value number {key + 1}" if isinstance(key, int) else f"the key '{key}'"
        return f"needs {what}"
    message = str(error["msg"]).replace("Input should", "value should")
    rule = f"{message}, not {error['input']!r}"
    expected = (error.get("ctx") or {}).get("expected")
    if error["type"] == "literal_error" and expected is not None:
        names = [part.strip(" '\"") for part in str(expected).replace(" or ", ",").split(",")]
        hint = did_you_mean(error["input"], names)
        rule += f"; {hint}" if hint else ""
    return rule
