"""Labels and groups that look the same are one, and that is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.data.reading.names import lookalikes, unlike_all
from pipeline.data.samples import Samples
from reports.wording import short

MOST_TOLD = 12


def with_same_names(samples: Samples) -> Samples:
    """The samples, whose labels and groups that look the same have their normal form.

    Others stay as they are. What was brought together is said in the notes, by code points.
    """
    labels, notes = _brought_together("labels", samples.labels)
    groups = {}
    for name, column in samples.groups.items():
        groups[name], of_group = _brought_together(f"values of the group '{name}'", column)
        notes += of_group
    if not notes:
        return samples
    return replace(samples, labels=labels, groups=groups, notes=[*samples.notes, *notes])


def _brought_together(
    what: str, column: Sequence[str | None]
) -> tuple[Sequence[str | None], list[str]]:
    several = lookalikes(name for name in set(column) if name)
    if not several:
        return column, []
    forms: dict[str, str] = {}
    for form, names in several.items():
        forms |= dict.fromkeys(names, form)
    notes = [
        f"{what} that look the same are one, '{short(form)}': {unlike_all(names)}"
        for form, names in list(several.items())[:MOST_TOLD]
    ]
    if len(several) > MOST_TOLD:
        notes.append(f"{what} that look the same: {len(several) - MOST_TOLD} more are one")
    return [forms.get(name, name) if name else name for name in column], notes
