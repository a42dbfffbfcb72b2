"""The nearest valid names, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Question that names the valid value nearest to `name`; empty where none is near."""
    close = difflib.get_close_matches(str(name), sorted(known), n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else ""


def nearest(name: object, known: Iterable[str]) -> str:
    """Sentence that names the valid value nearest to `name`, and the valid values."""
    names = sorted(map(str, known))
    return f"{did_you_mean(name, names)} (known: {', '.join(names)})".lstrip()
