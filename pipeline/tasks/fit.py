"""Fit a cell on a fold: choose a setting, learn, predict. Each result is stored at once: a run can go on."""

from __future__ import annotations

import pickle
import time
from typing import Any

import numpy as np

from models.classifiers.temperature import fitted_temperature
from pipeline.data.rows import Rows
from pipeline.engine.attempts import Done, Failed, attempt
from pipeline.metrics.metric import Probabilities
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.choose import choose
from pipeline.tasks.context import Context, store_at
from pipeline.tasks.unit import Unit
from pipeline.tasks.views import aligned, averaged, finite, fit_of, loaded_blocks


def fit_unit(unit: Unit, context: Context) -> Done | Failed:
    """Put the result of a unit into the store, where it is not there."""
    store = store_at(context.store)
    unit.estimator.warm_up()
    return attempt(lambda: store.get(unit.ingredients, lambda: _result(unit, context, store)))


def _result(unit: Unit, context: Context, store: Store) -> Entry:
    """Choose a setting on the inner folds, fit it on the outer training rows, predict the test rows."""
    blocks = loaded_blocks(unit, context, store)
    begun = time.perf_counter()
    chosen, scores, inner = choose(unit, context, blocks)
    outer = fit_of(unit, 0, blocks, context)
    model = unit.estimator.with_setting(chosen).learn(outer)
    fitted = time.perf_counter()
    probabilities = averaged(
        aligned(model.predict_proba(outer.test), model.classes_, context.classes),
        len(unit.fold.test),
    )
    predicted = time.perf_counter()
    kept = {"inner": finite(unit.cell.name, inner).astype(np.float32)} if unit.keeps_inner else {}
    return Entry(
        {"probabilities": finite(unit.cell.name, probabilities), **kept},
        {
            "label": unit.cell.name,
            "parameters": dict(chosen),
            "inner": scores,
            "class": type(unit.estimator).__name__,
            "work": unit.fitted_rows,
            "fit_seconds": fitted - begun,
            "predict_seconds": predicted - fitted,
            "model_bytes": _size(model),
            "training": model.course(),
            "temperature": _temperature(inner, context.labels[unit.fold.train]),
        },
    )


def _temperature(inner: Probabilities, labels: Rows) -> float | None:
    """What calibrates the chosen setting's probabilities, learned from its predictions on the inner folds."""
    return fitted_temperature(inner, labels) if len(inner) else None


class _Counter:
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.bytes += size
        return size


def _size(model: Any) -> int | None:
    """Bytes of a fitted model as it would be sent or kept; None for one that cannot be."""
    counter = _Counter()
    try:
        pickle.dump(model, counter, protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError):
        return None
    return counter.bytes
