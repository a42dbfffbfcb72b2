"""What of a store may go: leftovers, damaged entries, and those that nobody used for long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.store.keys import key_of
from pipeline.store.merging import merge
from pipeline.store.shards import Shards
from pipeline.store.store import Store
from pipeline.store.tending.listing import size_of


class Stale(NamedTuple):
    """What may go: its name or key, its bytes as far as they are known, and why."""

    name: str
    size: int
    why: str


def stale(store: Store, unused_days: float | None = None) -> Iterator[Stale]:
    """What `prune` would remove now; nothing is."""
    for name, size in store.leftovers().items():
        yield Stale(name, size, "left by an interrupted writer")
    for key in store.all_keys():
        problem = store.problem(key)
        if problem is not None:
            yield Stale(key, _size(store, key), f"damaged: {problem}")
        elif _is_unused(store, key, unused_days):
            days = _idle_days(store, key)
            yield Stale(key, _size(store, key), f"not used for {days:.0f} days")


def prune(store: Store, unused_days: float | None = None) -> list[str]:
    """Remove what interrupted writers left, damaged entries, and those unused for `unused_days`.

    Small shards are put together.

    Returns
    -------
    What was removed, by name or key.
    """

    def is_stale(key: str) -> bool:
        return bool(store.problem(key)) or _is_unused(store, key, unused_days)

    leftovers = store.clear_leftovers()
    removed = [key for key in store.all_keys() if store.remove(key, is_stale)]
    removed += [key for key in merge_small_shards(store) if store.remove(key, store.holds)]
    for group, keys in store.groups().items():
        for key in keys:
            if not store.holds(key):
                store.forget(group, key)
    return leftovers + removed


def _is_unused(store: Store, key: str, unused_days: float | None) -> bool:
    return unused_days is not None and _idle_days(store, key) > unused_days


def _idle_days(store: Store, key: str) -> float:
    """Days since an entry was used; none where another process has just removed it."""
    try:
        return store.idle_days(key)
    except FileNotFoundError:
        return 0.0


def _size(store: Store, key: str) -> int:
    manifest = store.manifest_at(key)
    return 0 if manifest is None else size_of(manifest)


def merge_small_shards(store: Store) -> list[str]:
    """Put small shards together, maker by maker; the keys of those that are idle then."""
    idle: list[str] = []
    for group, keys in store.groups().items():
        sound = next((key for key in keys if store.problem(key) is None), None)
        if sound is None:
            continue
        ingredients = dict(store.manifest(sound)["ingredients"])
        ingredients.pop("samples", None)
        if key_of(ingredients) == group:
            idle += merge(Shards(store, ingredients))
    return idle
