"""A mistake in a grid file, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

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
