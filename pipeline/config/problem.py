"""A mistake in a grid file, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

from features.estimator import Estimator
from features.machine.extras import lacking, not_installed, pip_line
from models.fusion import TakesClassifier

KeyPath: TypeAlias = tuple[str | int, ...]  # keys and positions, like ("text", 1, "tfidf")


@dataclass(frozen=True)
class Problem:
    """One mistake in the grid: where, and which rule it breaks (and the value)."""

    path: KeyPath
    rule: str


@dataclass(frozen=True)
class NotInstalled(Problem):
    """What the grid names and needs `modules` for that are not installed."""

    modules: tuple[str, ...]


def broken(problems: Sequence[Problem]) -> list[Problem]:
    """Those that a further install would not mend."""
    return [problem for problem in problems if not isinstance(problem, NotInstalled)]


def modules_lacked(cls: type, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Modules that an encoder, fusion, classifier or source needs, as it is set, and are not here.

    Parameters
    ----------
    parameters : of its constructor, other than the defaults. The classifier of a fusion is another
        part of the grid, and asked by itself.
    """
    alone = {"classifier": None} if issubclass(cls, TakesClassifier) else {}
    part = cls(**parameters, **alone)
    required = part.all_required() if isinstance(part, Estimator) else getattr(part, "requires", ())
    return not_installed(required)


def installs(problems: Sequence[Problem]) -> list[Problem]:
    """The line that installs all that is missing, where several problems name a line each."""
    missing = [problem for problem in problems if isinstance(problem, NotInstalled)]
    if len({pip_line(problem.modules) for problem in missing}) < 2:
        return []
    modules = chain.from_iterable(problem.modules for problem in missing)
    return [Problem((), f"all that is missing: {pip_line(modules)}")]


def not_installed_problems(
    name: str, cls: type, listed: Sequence[Mapping[str, Any]], path: KeyPath
) -> list[Problem]:
    """What is not installed of what a component needs; once, however many variants need it.

    Parameters
    ----------
    listed : the parameters of each variant.
    """
    lacked = dict.fromkeys(modules_lacked(cls, parameters) for parameters in listed)
    return [
        NotInstalled(path, lacking(name, modules), modules) for modules in lacked if modules
    ]
