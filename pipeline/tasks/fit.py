"""Fit a cell on a fold: choose a setting, learn, predict; each result is stored at once."""

from __future__ import annotations

import pickle
import time
from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from models.classifiers.temperature import fitted_temperature
from models.course import TrainsNetwork
from models.cross_fitted import CrossFitted
from models.fusion import Fusion
from pipeline.data.rows import Rows
from pipeline.engine.attempts import attempt
from pipeline.engine.task import Outcome, Shown
from pipeline.metrics.metric import Probabilities
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.context import Context, context_at
from pipeline.tasks.inner import choose
from pipeline.tasks.unit import Unit
from pipeline.tasks.views import aligned, averaged, finite, fit_of, loaded_blocks


@dataclass(frozen=True, eq=False)
class FitTask(Shown):
    """A cell on a fold.

    Parameters
    ----------
    unit : without its rows.
    context : key of the Context that holds its fold.
    has_inner : whether inner folds have a part in it.
    memory, together : see Task; cells of a fold that solve jointly share what they prepare.
    work : see Task: training rows of all its fits.
    """

    stage: ClassVar[str] = "Fits"
    all_cores: ClassVar[bool] = False

    unit: Unit
    context: str
    has_inner: bool
    memory: float
    together: Hashable = None
    work: float = 1.0

    @property
    def keys(self) -> tuple[str, ...]:
        """See Task."""
        return (self.unit.key,)

    @property
    def needs(self) -> tuple[str, ...]:
        """See Task."""
        return self.unit.needs

    @property
    def label(self) -> str:
        """See Task."""
        return self.unit.cell.name

    @property
    def doing(self) -> str:
        """See Task."""
        return f"{self.label}, {self.unit.fold.in_words}"

    @property
    def like(self) -> str:
        """See Task."""
        return f"{self.unit.ingredients['kind']}: {self.label}"

    def compute(self, store: Store) -> dict[str, Outcome]:
        """See Task."""
        context = context_at(store, self.context)
        numbers = self.unit.fold.repeat, self.unit.fold.fold
        unit = self.unit.with_fold(context.fold(*numbers, with_inner=self.has_inner))
        work = partial(self.result, unit, context, store)
        usable = partial(unit.is_result, classes=context.classes)
        return {unit.key: attempt(lambda: store.get(unit.ingredients, work, usable))}

    def result(self, unit: Unit, context: Context, store: Store) -> Entry:
        """What comes of the unit, with its rows."""
        unit.estimator.warm_up()
        return _result(unit, context, store)


def _result(unit: Unit, context: Context, store: Store) -> Entry:
    """Choose a setting on the inner folds, fit it on the training rows, predict the test rows."""
    blocks = loaded_blocks(unit, context, store)
    begun = time.perf_counter()
    chosen, scores, inner = choose(unit, context, blocks)
    outer = fit_of(unit, 0, blocks, context)
    model = unit.estimator.with_setting(chosen).learn(outer)
    if isinstance(model, CrossFitted) and not len(inner):
        inner = averaged(
            aligned(model.out_of_fold_, model.classes_, context.classes), len(unit.fold.train)
        )
    fitted = time.perf_counter()
    probabilities = averaged(
        aligned(model.predict_proba(outer.test), model.classes_, context.classes),
        len(unit.fold.test),
    )
    predicted = time.perf_counter()
    arrays = {"probabilities": finite(unit.cell.name, probabilities)}
    if unit.keeps_inner:
        arrays["inner"] = finite(unit.cell.name, inner).astype(np.float32)
    return Entry(
        arrays,
        {
            "label": unit.cell.name,
            "parameters": dict(chosen),
            "inner": scores,
            "class": type(unit.estimator).__name__,
            "work": unit.fitted_rows,
            "fit_seconds": fitted - begun,
            "predict_seconds": predicted - fitted,
            "model_bytes": _size(model),
            "training": model.course() if isinstance(model, TrainsNetwork) else None,
            "temperature": _temperature(inner, context.labels[unit.fold.train]),
        },
    )


def _temperature(inner: Probabilities, labels: Rows) -> float | None:
    """What calibrates the chosen setting, learned from its predictions on the inner folds."""
    return fitted_temperature(inner, labels) if len(inner) else None


class _Counter:
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: bytes | memoryview) -> int:
        size = memoryview(data).nbytes
        self.bytes += size
        return size


def _size(model: Fusion) -> int | None:
    """Bytes of a fitted model as it would be sent or kept; None for one that cannot be."""
    counter = _Counter()
    try:
        pickle.dump(model, counter, protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError):
        return None
    return counter.bytes
