"""The store as memory for facts that take long to find out: a cached run need not ask again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from features.machine.remembered import Facts, Memory
from pipeline.store.manifest import Entry
from pipeline.store.store import Store


def memory(store: Store) -> Memory:
    """A memory for `features.machine.remembered.remembering`: answers are entries here."""
    def remembered(question: Facts, ask: Callable[[], Facts]) -> Mapping[str, Any]:
        answers: list[Facts] = []

        def answered() -> Entry:
            answers.append(ask())
            return Entry({}, {"label": label, **answers[0]})

        label = " ".join(str(value) for value in question.values() if isinstance(value, str))
        try:
            return store.get({"kind": "library", **question}, answered).facts
        # a store that others share read-only; or the question itself fails, and says so again
        except OSError:
            return answers[0] if answers else ask()

    return remembered
