"""A row of JSON Lines."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from pipeline.data.reading.numbers import number_text
from reports.wording import short


def json_object(line: str | bytes) -> dict[str, Any]:
    """The object of a line; numbers as their shortest exact text, those that are none as None.

    Raises
    ------
    ValueError
        Where it is no object, has a key twice, or is nested deeper than can be read.
    """
    try:
        row = json.loads(
            line, parse_int=number_text, parse_float=number_text, parse_constant=lambda _: None,
            object_pairs_hook=object_of,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"every line must be a JSON object: {error}") from error
    except RecursionError as error:
        raise ValueError("every line must be a JSON object, and this is nested too deep") from error
    if not isinstance(row, dict):
        start = line[:40] if isinstance(line, str) else line[:40].decode(errors="replace")
        raise ValueError(f"every line must be a JSON object, not {start}")
    return row


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of whose keys none stands twice: Python would take the last in silence."""
    values = dict(pairs)
    if len(values) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"the key {short(twice)} stands more than once; rename one")
    return values
