"""One and two worker processes give the same predictions to the last bit, for every fusion that trains a network."""

from __future__ import annotations

import numpy as np

from models import FUSIONS
from models.neural.fusion import NeuralFusion
from pipeline.engine.processes import side_by_side
from tests.support.model_views import views


def predicted(name: str) -> np.ndarray:
    cls = FUSIONS[name]
    train, y = views(next(iter({"sequence", "inputs"} & set(cls.needs.values())), "pooled"))
    return cls(epochs=4, random_state=7).fit(train, y).predict_proba(train)


def test_networks_are_the_same_from_one_worker_and_from_two():
    names = [name for name, cls in FUSIONS.items() if issubclass(cls, NeuralFusion)]
    assert {"attention", "cross_attention", "gated", "co_training", "end_to_end"} <= set(names)
    tasks = [(name,) for name in names]
    alone, together = (dict(side_by_side(predicted, tasks, jobs)) for jobs in (1, 2))
    for position in range(len(names)):
        np.testing.assert_array_equal(alone[position], together[position])
