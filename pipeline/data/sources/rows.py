"""Samples made from columns, once it is known which column plays which part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from pipeline.data.samples import Samples, SourceError
from pipeline.data.sources.columns import Columns, pictures, texts
from pipeline.data.sources.problems import all_of

Names = str | list[str]


def samples_from(
    columns: Columns,
    places: Sequence[str],
    *,
    label: str,
    image: str | None,
    text: Names | None,
    id: str | None,
    group: Names | None,
    split: str | None,
) -> Samples:
    """Make samples whose parts are the named columns, one for each of the n `places`.

    Raises
    ------
    SourceError
        For every column that cannot play its part.
    """
    groups, lines = listed(group), listed(text)
    names = dict.fromkeys([label, *lines, *groups, *listed(id)])
    found, official, *values = all_of(
        lambda: None if image is None else pictures(columns, image, places),
        lambda: None if split is None else _official(columns, split),
        *(partial(texts, columns, name) for name in names),
    )
    column = dict(zip(names, values, strict=True))
    return Samples(
        places=places,
        pictures=found or [None] * len(places),
        texts=_lines([column[name] for name in lines]) if lines else [None] * len(places),
        labels=column[label],
        ids=None if id is None else column[id],
        groups={name: column[name] for name in groups},
        group=groups[0] if groups else None,
        split=official,
    )


def listed(names: Names | None) -> list[str]:
    """Make a list of one name, several or none."""
    return [] if names is None else [names] if isinstance(names, str) else names


def _lines(parts: Sequence[Sequence[str | None]]) -> list[str | None]:
    """Each row's non-empty texts, one under the other."""
    return ["\n".join(filter(None, row)) or None for row in zip(*parts, strict=True)]


def _official(columns: Columns, name: str) -> list[str | None]:
    values = texts(columns, name)
    others = Counter("nothing" if value is None else f"'{value}'" for value in values
                     if value not in {"train", "test"})
    if others:
        found = ", ".join(
            f"{value} in {count} rows" for value, count in sorted(others.items())[:12]
        )
        raise SourceError([f"split: column '{name}' of {columns.file.name} must hold train or test, but has "
                           f"{found}; keep the rows you need with where: {{{name}: [train, test]}}"])
    return values
