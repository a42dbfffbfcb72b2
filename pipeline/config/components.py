"""Components named in the grid: their constructors' signatures are the rules for their keys."""

from __future__ import annotations

import inspect
import itertools
import os
import typing
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError

from features.machine.nearest import did_you_mean, nearest
from pipeline.config.problem import KeyPath, Problem
from pipeline.config.renamed import renamed_key

# Set by the pipeline, never by the grid: the form a fusion asks for, the seed, the classifier it
# wraps.
SET_BY_PIPELINE = frozenset({"output", "random_state", "classifier"})


@dataclass(frozen=True)
class Component:
    """A named part of the grid with its parameters.

    Parameters
    ----------
    name : its name in the registry.
    parameters : constructor parameters other than the defaults, one value each, in the
        constructor's order.
    candidates : tuned parameters and the values the inner folds choose among.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    candidates: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, repr(self.parameters), repr(self.candidates)))

    @property
    def label(self) -> str:
        """Short readable form: the name and the parameters that are not the defaults."""
        shown = [_shown(name, value) for name, value in self.parameters.items()]
        return f"{self.name}({', '.join(shown)})" if shown else self.name


def _shown(name: str, value: Any) -> str:
    if isinstance(value, os.PathLike):
        return Path(value).name
    if isinstance(value, str):
        return value
    if isinstance(value, BaseModel):
        given = [_shown(*item) for item in value.model_dump(exclude_defaults=True).items()]
        return f"{name}({', '.join(given)})" if given else name
    text = "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"{name}={text}"


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


def _check(cls: type, name: str, value: Any) -> tuple[Any, list[Any]]:
    """The value of one parameter as its type has it, or pydantic's errors."""
    try:
        return _adapter(cls, name).validate_python(value), []
    except ValidationError as error:
        return None, list(error.errors())


@cache
def _adapter(cls: type, name: str) -> TypeAdapter[Any]:
    kind = parameters_of(cls)[name][0]
    try:
        return TypeAdapter(kind)
    except PydanticSchemaGenerationError as error:
        raise TypeError(
            f"{cls.__name__}: the type of parameter {name} cannot be checked: {error}"
        ) from error


@cache
def _inner_keys(cls: type, name: str) -> frozenset[str]:
    """Keys of the object that a parameter's value is, where its type is such."""
    kind = parameters_of(cls)[name][0]
    models = (
        part
        for part in (kind, *typing.get_args(kind))
        if isinstance(part, type) and issubclass(part, BaseModel)
    )
    return frozenset[str]().union(*(model.model_fields for model in models))


def _rule(error: Mapping[str, Any], known: Container[str]) -> str:
    """The rule that a value breaks; `known` are the keys of the object that the value is."""
    if error["type"] == "extra_forbidden":
        key = error["loc"][-1]
        return renamed_key(key, known) or f"unknown key '{key}'"
    if error["type"] == "value_error":  # a component's own rule says all there is to say
        return str(error["ctx"]["error"])
    message = str(error["msg"]).replace("Input should", "value should")
    rule = f"{message}, not {error['input']!r}"
    expected = (error.get("ctx") or {}).get("expected")
    if error["type"] == "literal_error" and expected is not None:
        names = [part.strip(" '\"") for part in str(expected).replace(" or ", ",").split(",")]
        hint = did_you_mean(error["input"], names)
        rule += f"; {hint}" if hint else ""
    return rule


def variants(
    name: str,
    cls: type,
    given: Mapping[str, Any],
    path: KeyPath,
    tuned: Mapping[str, tuple[Any, ...]],
) -> tuple[list[Component], list[Problem]]:
    """Components that `given` stands for: a list where one value belongs means "compare these".

    Lists of a tuned parameter are the candidates of the inner folds instead, so they make no
    variants.

    Returns
    -------
    components, problems : all mistakes found; no components where there are any.
    """
    problems: list[Problem] = []
    choices: dict[str, list[Any]] = {}
    known = parameters_of(cls)
    for key, value in given.items():
        if key not in known:
            rule = renamed_key(key, known) or (
                f"unknown key '{key}' of {name}; {nearest(key, known)}"
            )
            problems.append(Problem((*path, key), rule))
            continue
        choices[key] = _choices(cls, key, value, (*path, key), problems)
    missing = [key for key, (_, default) in known.items() if default is ... and key not in given]
    problems += [Problem(path, f"{name} needs the key '{key}'") for key in missing]
    if problems:
        return [], problems
    candidates = {key: tuple(choices.pop(key, default)) for key, default in tuned.items()}
    ordered = {key: choices[key] for key in known if key in choices}
    combinations = (
        dict(zip(ordered, values, strict=True)) for values in itertools.product(*ordered.values())
    )
    return [
        Component(
            name,
            {key: value for key, value in parameters.items() if value != known[key][1]},
            candidates,
        )
        for parameters in combinations
    ], []


def _choices(cls: type, key: str, value: Any, path: KeyPath, problems: list[Problem]) -> list[Any]:
    """The values a key stands for: the value itself, or those of a list that the type is not."""
    checked, errors = _check(cls, key, value)
    if not errors:
        return [checked]
    inner = _inner_keys(cls, key)
    # Errors inside the value, or of a component's own rule, mean that its form was right: it is one
    # value.
    is_one_value = any(error["loc"] or error["type"] == "value_error" for error in errors)
    several = isinstance(value, list) and any(not _check(cls, key, item)[1] for item in value)
    if not isinstance(value, list) or not value or (is_one_value and not several):
        problems += [
            Problem((*path, *error["loc"]), f"{key}: {_rule(error, inner)}") for error in errors
        ]
        return []
    chosen = []
    for position, item in enumerate(value):
        checked, errors = _check(cls, key, item)
        problems += [
            Problem((*path, position, *error["loc"]), f"{key}: {_rule(error, inner)}")
            for error in errors
        ]
        if not errors and checked in chosen:
            problems.append(Problem((*path, position), f"{key}: {item!r} is listed twice"))
        chosen.append(checked)
    return chosen


def filled_in(component: Component, cls: type) -> dict[str, Any]:
    """All parameters of a component: those given, its candidates, and the defaults of the rest."""
    defaults = {
        name: default for name, (_, default) in parameters_of(cls).items() if default is not ...
    }
    return {**defaults, **component.parameters, **component.candidates}
