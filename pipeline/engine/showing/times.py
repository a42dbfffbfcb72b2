"""How long tasks take: as this run measured it, else as the store has it from earlier ones."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pipeline.engine.task import Done, Outcomes, Task
from pipeline.store.keys import key_of
from pipeline.store.store import Store

# Seconds in which manifests are read: their names are checksums, so that those that were read are
# a random part of a large store.
MOST_SECONDS = 0.5


class Times:
    """Seconds for each unit of work of tasks that are alike.

    Parameters
    ----------
    earlier : by `Task.like`, of earlier runs.
    """

    def __init__(self, earlier: Mapping[str, float]) -> None:
        self._earlier = earlier
        self._seconds: dict[str, float] = defaultdict(float)
        self._work: dict[str, float] = defaultdict(float)

    def took(self, task: Task, outcomes: Outcomes) -> None:
        """Take note of what was computed now."""
        done = [outcome for outcome in outcomes.values() if isinstance(outcome, Done)]
        new = [outcome.seconds for outcome in done if not outcome.reused]
        if new:
            self._seconds[task.like] += sum(new)
            self._work[task.like] += task.work

    def rate(self, like: str) -> float | None:
        """Seconds for a unit of work; None where nobody knows."""
        if self._work.get(like):
            return self._seconds[like] / self._work[like]
        return self._earlier.get(like)


def earlier_times(store: Store) -> dict[str, float]:
    """Seconds for each unit of work of what a store holds, by what `Task.like` says of it.

    Only of entries that say how much work they were: a time of other rows would tell nothing.
    """
    seconds: dict[str, float] = defaultdict(float)
    work: dict[str, float] = defaultdict(float)
    until = time.monotonic() + MOST_SECONDS
    for manifest in store.manifests_at_hand():
        like, facts = _like(manifest), manifest["facts"]
        amount = facts.get("work")
        if like is not None and isinstance(amount, int | float) and amount > 0:
            seconds[like] += float(facts.get("encode_seconds", manifest["seconds"]))
            work[like] += float(amount)
        if time.monotonic() > until:
            break
    return {like: seconds[like] / work[like] for like in seconds}


def _like(manifest: Mapping[str, Any]) -> str | None:
    """What tasks like the one that made an entry say of themselves."""
    ingredients = manifest["ingredients"]
    kind, label = ingredients.get("kind"), manifest["facts"].get("label")
    if kind == "shard":
        maker = {name: value for name, value in ingredients.items() if name != "samples"}
        return f"shard: {key_of(maker)}"
    if kind in ("result", "ranks", "features") and isinstance(label, str):
        return f"{kind}: {label}"
    return None
