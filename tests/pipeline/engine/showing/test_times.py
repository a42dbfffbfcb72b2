"""How long the store says that tasks take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.engine.showing.times import earlier_times
from pipeline.store.folder import FolderStore


@dataclass
class Known:
    """What a store says of its entries."""

    manifests: list[dict[str, Any]]

    def manifests_at_hand(self):
        return iter(self.manifests)


def manifest(kind: str, seconds: float, facts: dict[str, Any], **further: Any) -> dict[str, Any]:
    return {"ingredients": {"kind": kind, **further}, "facts": facts, "seconds": seconds}


def test_the_store_knows_seconds_for_each_unit_of_work_of_what_is_alike():
    label = "bow / text_only"
    store = Known([
        manifest("result", 2.0, {"label": label, "work": 100}),
        manifest("result", 4.0, {"label": label, "work": 200}),
        manifest("result", 9.0, {"label": "no work is told"}),
        manifest("texts", 9.0, {"label": "texts", "work": 3}),
    ])
    assert earlier_times(store) == {f"result: {label}": 6.0 / 300}


def test_shards_are_alike_where_the_same_encoder_made_them():
    facts = {"label": "2 samples", "encode_seconds": 3.0, "work": 2}
    store = Known([
        manifest("shard", 3.2, facts, encoder=name, samples=samples)
        for name, samples in (("small", "a"), ("small", "b"), ("large", "a"))
    ])
    times = earlier_times(store)
    assert len(times) == 2
    assert set(times.values()) == {1.5}


def test_an_empty_store_knows_nothing(tmp_path):
    assert earlier_times(FolderStore(tmp_path / "none")) == {}
