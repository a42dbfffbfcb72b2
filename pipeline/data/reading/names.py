"""Names that look the same: compared in one normal form, told apart by code points.

The normal form is NFC (Unicode Standard Annex 15) with every run of white space, no-break spaces
included, as one space, none at the ends, and without characters that are never seen (zero-width
spaces and joiners, byte order marks, soft hyphens).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from reports.wording import for_terminal

MOST_LISTED = 6

# between Arabic and Indic letters the joiners U+200C and U+200D are seen, and stay
_UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff]")


def normal(name: str) -> str:
    """The normal form of a name."""
    if name.isascii() and name.isprintable() and "  " not in name:
        return name.strip()
    return " ".join(_UNSEEN.sub("", unicodedata.normalize("NFC", name)).split())


def lookalikes(names: Iterable[str]) -> dict[str, list[str]]:
    """Names that look the same, sorted, by their normal form; others are left out."""
    by_form: dict[str, set[str]] = {}
    for name in names:
        by_form.setdefault(normal(name), set()).add(name)
    return {form: sorted(same) for form, same in sorted(by_form.items()) if len(same) > 1}


def by_normal_form(names: Iterable[str]) -> Mapping[str, str]:
    """The name of each normal form; names that look the same are left out."""
    names = list(names)
    several = lookalikes(names)
    return {form: name for name in names if (form := normal(name)) not in several}


def unlike(name: str, other: str) -> str:
    """How two names that look the same differ: "U+00E9 here, U+0065 U+0301 there"."""
    start = next(
        (at for at, (sign, there) in enumerate(zip(name, other, strict=False)) if sign != there),
        min(len(name), len(other)),
    )
    rests = [name[start:], other[start:]]
    while rests[0] and rests[1] and rests[0][-1] == rests[1][-1]:
        rests = [rest[:-1] for rest in rests]
    here, there = (_code_points(rest) for rest in rests)
    return f"{here} in the first, {there} in the second"


def unlike_all(names: Sequence[str]) -> str:
    """Names that look the same, and how each differs from the first."""
    first, *others = names[:MOST_LISTED]
    listed = ", ".join(f"'{for_terminal(name, 80)}'" for name in (first, *others))
    if len(names) > MOST_LISTED:
        listed += f" and {len(names) - MOST_LISTED} more"
    return f"{listed}: " + "; ".join(unlike(first, other) for other in others)


def _code_points(text: str) -> str:
    first = " ".join(f"U+{ord(sign):04X}" for sign in text[:MOST_LISTED])
    return (first or "nothing") + (" ..." if len(text) > MOST_LISTED else "")
