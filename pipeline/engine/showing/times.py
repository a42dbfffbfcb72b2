"""How long tasks take: as this run measured it, else as the store has it from earlier ones."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

from pipeline.engine.task import Done, Outcomes, Task
from pipeline.store.keys import key_of
from pipeline.store.store import Store

# Seconds of the processor, and on the clock, in which manifests are read: their names are
# checksums, so that those that were read are a random part of a large store.
MOST_SECONDS, MOST_WAITING = 0.5, 5.0
# Tasks alike that say how long the next ones take: the first of a run pay for what their processes
# import, and the machine has more or less to do beside them.
RECENT, APART = 3, 5


class Times:
    """Seconds for each unit of work of tasks that are alike.

    Parameters
    ----------
    earlier : by `Task.like`, of earlier runs.
    """

    def __init__(self, earlier: Mapping[str, float]) -> None:
        self._earlier = earlier
        # seconds and work of the last ones alike
        self._measured: dict[str, deque[tuple[float, float]]] = defaultdict(
            lambda: deque(maxlen=RECENT)
        )

    def took(self, task: Task, outcomes: Outcomes) -> None:
        """Take note of what was computed now."""
        done = [outcome for outcome in outcomes.values() if isinstance(outcome, Done)]
        new = [outcome.seconds for outcome in done if not outcome.reused]
        if new and task.work > 0:
            self._measured[task.like].append((sum(new), task.work))

    def rate(self, like: str) -> float | None:
        """Seconds for a unit of work; None where nobody knows."""
        measured, earlier = self._measured.get(like), self._earlier.get(like)
        if not measured:
            return earlier
        rate = sum(seconds for seconds, _ in measured) / sum(work for _, work in measured)
        if earlier is not None and len(measured) < RECENT and _differ(rate, earlier):
            return None  # the first ones pay for imports, or this machine is another one
        return rate


def _differ(rate: float, other: float) -> bool:
    """Whether one is so many times the other that both cannot be true."""
    return max(rate, other) > APART * min(rate, other)


def earlier_times(store: Store) -> dict[str, float]:
    """Seconds for each unit of work of what a store holds, by what `Task.like` says of it.

    Only of entries that say how much work they were: a time of other rows would tell nothing.
    """
    seconds: dict[str, float] = defaultdict(float)
    work: dict[str, float] = defaultdict(float)
    until, waiting = time.thread_time() + MOST_SECONDS, time.monotonic() + MOST_WAITING
    for manifest in store.manifests_at_hand():
        like, facts = _like(manifest), manifest["facts"]
        amount = facts.get("work")
        if like is not None and isinstance(amount, int | float) and amount > 0:
            seconds[like] += float(facts.get("encode_seconds", manifest["seconds"]))
            work[like] += float(amount)
        if time.thread_time() > until or time.monotonic() > waiting:
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
