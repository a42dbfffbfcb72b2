"""Keys of a grid that have another name now."""

from __future__ import annotations

from collections.abc import Container

RENAMED = {
    "lr": "learning_rate",
    "encoder_lr": "encoder_learning_rate",
    "batch": "batch_size",
    "views": "copies",
    "test_views": "test_copies",
}


def renamed_key(key: object, known: Container[str]) -> str | None:
    """Rule that a key's old name breaks, which names the new one.

    None for any other key, and where the new name is not among the keys `known` there.
    """
    name = RENAMED.get(str(key))
    return f"'{key}' is now '{name}'" if name in known else None
