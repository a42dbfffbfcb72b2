"""Worker processes: equal results from one and from two, errors with their tracebacks, deaths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from models import FUSIONS
from models.neural.fusion import NeuralFusion
from pipeline.engine.attempts import attempt
from pipeline.engine.processes import Processes
from pipeline.engine.progress import silence
from pipeline.engine.run_all import run_all
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from tests.support.model_views import views


def predicted(name: str) -> np.ndarray:
    cls = FUSIONS[name]
    train, y = views(next(iter({"sequence", "inputs"} & set(cls.needs.values())), "pooled"))
    return cls(epochs=4, random_state=7).fit(train, y).predict_proba(train)


@dataclass(frozen=True)
class Predict:
    """A fusion by name, fitted and asked."""

    stage: ClassVar[str] = "Fits"
    needs: ClassVar[tuple[str, ...]] = ()
    memory: ClassVar[float] = 0.0
    together: ClassVar[None] = None
    all_cores: ClassVar[bool] = False

    label: str

    @property
    def ingredients(self) -> dict[str, Any]:
        return {"fusion": self.label}

    @property
    def keys(self) -> tuple[str, ...]:
        return (key_of(self.ingredients),)

    def compute(self, store: Store) -> dict[str, Any]:
        return {self.keys[0]: attempt(lambda: store.get(
            self.ingredients, lambda: Entry({"probabilities": predicted(self.label)})))}


def test_networks_are_the_same_from_one_worker_and_from_two(tmp_path):
    names = [name for name, cls in FUSIONS.items() if issubclass(cls, NeuralFusion)]
    assert {"attention", "cross_attention", "gated", "co_training", "end_to_end"} <= set(names)
    answers = []
    for slots in (1, 2):
        store = Store(tmp_path / str(slots))
        run_all([Predict(name) for name in names], Processes(slots), store, silence)
        entries = {name: store.load({"fusion": name}) for name in names}
        answers.append({name: entry.arrays["probabilities"] for name, entry in entries.items()})
    alone, together = answers
    for name in names:
        np.testing.assert_array_equal(alone[name], together[name])
