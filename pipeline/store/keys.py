"""Keys: sha256 of the canonical JSON of everything that decides a value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

Ingredients = Mapping[str, Any]


def canonical(value: object) -> str:
    """JSON with sorted keys and no blanks: equal values, equal text. No nan, no unknown types."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True
    )


def key_of(ingredients: Ingredients) -> str:
    """Sha256 of the canonical JSON of everything that decides a value."""
    return hashlib.sha256(canonical(ingredients).encode()).hexdigest()
