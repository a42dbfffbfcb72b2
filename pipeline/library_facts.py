"""The store as memory for what heavy libraries say about themselves, so that a cached run need not import them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from features.recall import Facts, Memory
from pipeline.store import Entry, Store


def memory(store: Store) -> Memory:
    """A memory for `features.recall.remembering`, whose answers are entries of the store."""
    def remembered(question: Facts, ask: Callable[[], Facts]) -> Mapping[str, Any]:
        label = " ".join(str(value) for value in question.values() if isinstance(value, str))
        return store.get({"kind": "library", **question}, lambda: Entry({}, {"label": label, **ask()})).facts

    return remembered
