"""The nearest valid names, for error messages."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

_SUGGESTION = re.compile(r"did you mean '([^']*)'\?")


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Question that names the valid value nearest to `name`; empty where none is near."""
    close = _close(str(name), sorted(known), 1)
    return f"did you mean '{close[0]}'?" if close else ""


def suggested(text: str) -> str | None:
    """The name that a sentence of `did_you_mean` in a text names; None where there is none."""
    match = _SUGGESTION.search(text)
    return None if match is None else match[1]


def nearest(name: object, known: Iterable[str]) -> str:
    """Sentence that names the valid value nearest to `name`, and the valid values."""
    names = sorted(map(str, known))
    question, valid = did_you_mean(name, names), f"known: {', '.join(names)}"
    return f"{question} ({valid})" if question else valid


def nearest_few(name: str, known: Iterable[str]) -> str:
    """End of a sentence that names the valid names nearest to `name`; empty where none is near."""
    close = _close(name, list(known), 3)
    return f"; nearest: {', '.join(close)}" if close else ""


def _close(name: str, known: Sequence[str], most: int) -> list[str]:
    """The names that are most like one, whatever their case and the width of their letters."""
    by_form = {_form(other): other for other in reversed(known)}
    close = difflib.get_close_matches(_form(name), list(by_form), n=most, cutoff=0.5)
    return [by_form[form] for form in close]


def _form(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def nearest_file(path: Path) -> str:
    """Hint that names the file beside `path` whose name is most like it; empty where none is."""
    names = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""
