"""A mistake in a grid file, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal, TypeAlias

from features.estimator import Estimator
from features.machine.extras import lacking, not_installed, pip_line
from models.fusion import TakesClassifier

KeyPath: TypeAlias = tuple[str | int, ...]  # keys and positions, like ("text", 1, "tfidf")
# What kind of rule a mistake breaks, for programs: the file is no grid; a key, or a name, that is
# not known; a key that is missing; a value; parts that do not go together; more than is compared;
# a plugin that cannot be used.
RuleKind: TypeAlias = Literal[
    "yaml", "unknown_key", "unknown_name", "missing_key", "value", "together", "too_much", "plugin"
]


@dataclass(frozen=True)
class Problem:
    """One mistake in the grid: where, and which rule it breaks (and the value)."""

    path: KeyPath
    rule: str
    kind: RuleKind = field(default="value", kw_only=True)


@dataclass(frozen=True)
class Mistake:
    """A problem as an editor shows it.

    Parameters
    ----------
    file : the grid file, as it was named.
    line, column : where it stands, from 1; at the key, or the item of a list.
    key : the way to it, like "text[1].tfidf.ngrams"; empty for the whole file.
    rule : the kind of rule that is broken.
    message : the rule, and the value.
    nearest : the valid value nearest to the one that is given; None where there is none.
    """

    file: str
    line: int
    column: int
    key: str
    rule: RuleKind
    message: str
    nearest: str | None



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
