"""Samples made from columns, once it is known which column plays which part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Self

from features.block import Modality
from pipeline.data.reading.class_folders import PARTS
from pipeline.data.samples import OF_SAMPLES, Samples, SourceError
from pipeline.data.sources.column_values import pictures, texts
from pipeline.data.sources.columns import Columns
from pipeline.data.sources.problems import all_of
from reports.wording import count

Names = str | list[str]
Recurring = Modality | list[Modality]


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Which column of a table holds what; see `pipeline.data.sources.table.Table`.

    Of a source, `recurring` is no column, but what its rows have in common.
    """

    label: str | None
    image: str | None
    text: Names | None
    id: str | None
    group: Names | None
    split: str | None = None
    breakdown: Names | None = None
    recurring: Recurring | None = None

    @classmethod
    def of(cls, source: Any) -> Self:
        """The columns that a source names in fields that are called as those here."""
        return cls(**{role.name: getattr(source, role.name) for role in fields(cls)})

    def asked(self) -> list[tuple[str, str]]:
        """Every column that is named, as pairs of grid key and name."""
        pairs: list[tuple[str, str]] = []
        for key in ("image", "text", "label", "id", "group", "split", "breakdown"):
            pairs += [(key, name) for name in listed(getattr(self, key))]
        return pairs

    def check(self, path: str) -> None:
        """Raise SourceError where neither pictures nor texts are named; `path` says of what."""
        if self.nothing is not None:
            raise SourceError([f"{path}: {self.nothing}"])

    @property
    def nothing(self) -> str | None:
        """What is said where neither pictures nor texts are named."""
        if self.image is None and not self.text:
            return "name the pictures' column (image), the texts' (text) or both"
        return None


def samples_from(
    columns: Columns, locations: Sequence[str], roles: Roles, notes: Sequence[str] = ()
) -> Samples:
    """Make samples of the columns, one for each of the n `locations`, with notes about them.

    Raises
    ------
    SourceError
        For every column that cannot play its part.
    """
    lines, grouping, parted = listed(roles.text), listed(roles.group), listed(roles.breakdown)
    groups = [
        name for name in grouping if name in columns.names or name not in OF_SAMPLES
    ]
    columns_of_roles = [*listed(roles.label), *lines, *groups, *parted, *listed(roles.id)]
    names = dict.fromkeys(columns_of_roles)
    image, split = roles.image, roles.split
    shown, official, *values = all_of(
        lambda: None if image is None else pictures(columns, image, locations),
        lambda: None if split is None else _official(columns, split),
        *(partial(texts, columns, name) for name in names),
    )
    column = dict(zip(names, values, strict=True))
    nothing = [None] * len(locations)
    return Samples(
        locations=locations,
        pictures=shown or nothing,
        texts=_lines([column[name] for name in lines]) if lines else nothing,
        labels=nothing if roles.label is None else column[roles.label],
        ids=None if roles.id is None else column[roles.id],
        groups={name: column[name] for name in groups},
        group=grouping[0] if grouping else None,
        split=official,
        notes=notes,
        breakdown={name: column[name] for name in parted},
        recurring=recurring(roles.recurring),
    )


def listed(names: Names | None) -> list[str]:
    """Make a list of one name, several or none."""
    return [] if names is None else [names] if isinstance(names, str) else names


def recurring(modalities: Recurring | None) -> frozenset[Modality]:
    """Make a set of one modality, several or none."""
    if modalities is None:
        return frozenset()
    return frozenset(modalities if isinstance(modalities, list) else [modalities])


def _lines(parts: Sequence[Sequence[str | None]]) -> list[str | None]:
    """Each row's non-empty texts, one under the other."""
    return ["\n".join(filter(None, row)) or None for row in zip(*parts, strict=True)]


def _official(columns: Columns, name: str) -> list[str | None]:
    given = texts(columns, name)
    values = [value.lower() if value and value.lower() in PARTS else value for value in given]
    others = [value for value in values if value not in PARTS]
    if others:
        counts = Counter("nothing" if value is None else f"'{value}'" for value in others)
        shown = ", ".join(
            f"{value} in {count(rows, 'row')}" for value, rows in sorted(counts.items())[:12]
        )
        parts = sorted({part for part in given if part and part.lower() in PARTS}, reverse=True)
        advice = (
            f"keep the rows you need with where: {{{name}: [{', '.join(parts)}]}}"
            if {part.lower() for part in parts} == set(PARTS)
            else "write train and test there"
        )
        raise SourceError(
            [
                f"split: column '{name}' of {columns.file.name} must hold train or test, but has "
                f"{shown}; {advice}"
            ]
        )
    return values
