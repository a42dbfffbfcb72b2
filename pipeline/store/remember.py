"""The store as cache of facts that take long to establish, for runs whose results are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from features.machine.facts import FactCache, Facts
from pipeline.store.manifest import Entry
from pipeline.store.store import Store


def fact_cache(store: Store) -> FactCache:
    """A cache for `features.machine.facts.caching_facts`, whose facts are entries of the store."""

    def cached(question: Facts, ask: Callable[[], Facts]) -> Mapping[str, Any]:
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

    return cached
