"""Components named in the grid, with their parameters and candidates."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

from pydantic import BaseModel

from features.machine.nearest import nearest
from pipeline.config.parameters import broken_rule, checked, inner_keys, parameters_of
from pipeline.config.problem import KeyPath, Problem
from pipeline.config.renamed import renamed_key

VARIANTS = 1000  # that an entry of a list may stand for


@dataclass(frozen=True)
class Component:
    """A named part of the grid with its parameters.

    Parameters
    ----------
    name : its name in the registry.
    parameters : constructor parameters other than the defaults, one value each, in the
        constructor's order.
    candidates : tuned parameters and the values the inner folds choose among.
    by_default : those of them that the grid says nothing of: their values may be widened.
    shown_paths : what the label shows of parameters that are paths, where their last part does not
        tell them from those of other components; see `told_apart`.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    candidates: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    by_default: frozenset[str] = frozenset()
    shown_paths: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __hash__(self) -> int:
        return hash((self.name, repr(self.parameters), repr(self.candidates)))

    @cached_property
    def label(self) -> str:
        """Short readable form: the name and the parameters that are not the defaults."""
        return self._label(self.shown_paths)

    @property
    def whole_label(self) -> str:
        """The label with whole paths: different for different parameters."""
        return self._label({name: str(path) for name, path in self.paths.items()})

    @property
    def paths(self) -> dict[str, Path]:
        """Its parameters that are paths."""
        items = self.parameters.items()
        return {name: Path(value) for name, value in items if isinstance(value, os.PathLike)}

    def _label(self, shown_paths: Mapping[str, str]) -> str:
        shown = [
            shown_paths.get(name) or _shown(name, value) for name, value in self.parameters.items()
        ]
        return f"{self.name}({', '.join(shown)})" if shown else self.name


@dataclass(frozen=True)
class EncoderSet:
    """Encoders of a modality that cells use together: a list within the grid's list."""

    members: tuple[Component, ...]

    @property
    def label(self) -> str:
        """The encoders' labels."""
        return "+".join(member.label for member in self.members)


Encoders: TypeAlias = Component | EncoderSet


def members_of(encoders: Encoders) -> tuple[Component, ...]:
    """The encoders of a set, or the only one."""
    return encoders.members if isinstance(encoders, EncoderSet) else (encoders,)


def told_apart(listed: Sequence[Encoders]) -> tuple[Encoders, ...]:
    """The same, whose labels show as much of paths as tells them apart.

    Of the same parameter of components of one name: as many of the last parts of each path as make
    those with an equal last part different, such as a/model and b/model.
    """
    members = list(itertools.chain.from_iterable(map(members_of, listed)))
    paths: dict[tuple[str, str], set[Path]] = {}
    for member in members:
        for name, path in member.paths.items():
            paths.setdefault((member.name, name), set()).add(path)

    def shown(member: Component) -> Component:
        tails = {
            name: _tail(path, paths[member.name, name]) for name, path in member.paths.items()
        }
        return replace(member, shown_paths=tails)

    return tuple(
        EncoderSet(tuple(map(shown, encoders.members)))
        if isinstance(encoders, EncoderSet) else shown(encoders)
        for encoders in listed
    )


def _tail(path: Path, paths: Iterable[Path]) -> str:
    """The shortest end of a path that those of its name do not have, in whole parts."""
    others = [other for other in paths if other != path and other.name == path.name]
    number = 1
    while any(other.parts[-number:] == path.parts[-number:] for other in others):
        number += 1
    return Path(*path.parts[-number:]).as_posix()


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
            problems.append(_unknown_key((*path, key), name, known))
            continue
        choices[key] = _choices(cls, key, value, (*path, key), problems)
    problems += [
        Problem(path, f"{name} needs the key '{key}'", kind="missing_key")
        for key in _missing(known, given)
    ]
    if problems:
        return [], problems
    candidates = {key: tuple(choices.pop(key, default)) for key, default in tuned.items()}
    ordered = {key: choices[key] for key in known if key in choices}
    count = math.prod(map(len, ordered.values()))
    if count > VARIANTS:
        rule = f"{name} stands for {count:,} variants here; {VARIANTS:,} are compared at most"
        return [], [Problem(path, rule)]
    combinations = (
        dict(zip(ordered, values, strict=True)) for values in itertools.product(*ordered.values())
    )
    return [
        Component(name, _changed(parameters, known), candidates, frozenset(tuned).difference(given))
        for parameters in combinations
    ], []


def _unknown_key(path: KeyPath, name: str, known: Mapping[str, Any]) -> Problem:
    key = path[-1]
    unknown = f"unknown key '{key}' of {name}; {nearest(key, known)}"
    return Problem(path, renamed_key(key, known) or unknown, kind="unknown_key")


def _missing(known: Mapping[str, tuple[Any, Any]], given: Mapping[str, Any]) -> list[str]:
    return [key for key, (_, default) in known.items() if default is ... and key not in given]


def _changed(
    parameters: Mapping[str, Any], known: Mapping[str, tuple[Any, Any]]
) -> dict[str, Any]:
    """Those that are not the defaults."""
    return {key: value for key, value in parameters.items() if value != known[key][1]}


def _choices(cls: type, key: str, value: Any, path: KeyPath, problems: list[Problem]) -> list[Any]:
    """The values a key stands for: the value itself, or those of a list that the type is not."""
    parsed, errors = checked(cls, key, value)
    if not errors:
        return [parsed]
    inner = inner_keys(cls, key)
    # Errors inside the value, or of a component's own rule, mean that its form was right: it is one
    # value.
    is_one_value = any(error["loc"] or error["type"] == "value_error" for error in errors)
    several = isinstance(value, list) and any(not checked(cls, key, item)[1] for item in value)
    if not isinstance(value, list) or not value or (is_one_value and not several):
        problems += [
            Problem((*path, *error["loc"]), f"{key}: {broken_rule(error, inner)}")
            for error in errors
        ]
        return []
    chosen: dict[str, Any] = {}  # by what they look like: there may be thousands
    for position, item in enumerate(value):
        parsed, errors = checked(cls, key, item)
        problems += [
            Problem((*path, position, *error["loc"]), f"{key}: {broken_rule(error, inner)}")
            for error in errors
        ]
        if not errors and repr(parsed) in chosen:
            problems.append(Problem((*path, position), f"{key}: {item!r} is listed twice"))
        chosen[repr(parsed)] = parsed
    return list(chosen.values())


def beyond(cls: type, key: str, values: Collection[Any], end: Any) -> Any | None:
    """The next value of a parameter beyond an end of those tried; None where there is none.

    It is as many times larger, or smaller, as the end is than the value next to it; where the
    parameter's type refuses that (a share above 1, say), half way to 1. Values that are no numbers
    have nothing beyond them.
    """
    ordered = sorted(value for value in values if is_number(value))
    if len(ordered) < max(2, len(values)) or end not in (ordered[0], ordered[-1]):
        return None
    neighbour = ordered[1] if end == ordered[0] else ordered[-2]
    if not neighbour:
        return None
    for value in (end * (end / neighbour), (1 + end) / 2):
        parsed, errors = checked(cls, key, round(value) if isinstance(end, int) else value)
        if not errors and parsed not in values:
            return parsed
    return None


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def filled_in(component: Component, cls: type) -> dict[str, Any]:
    """All parameters of a component: those given, its candidates, and the defaults of the rest."""
    defaults = {
        name: default for name, (_, default) in parameters_of(cls).items() if default is not ...
    }
    return {**defaults, **component.parameters, **component.candidates}
