"""Hits of the same class, of a cell on a fold: work of its own, with an entry of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar, NamedTuple

import numpy as np

from models.classifier import Array
from models.early.pooled import PooledFusion
from pipeline.engine.attempts import attempt
from pipeline.engine.task import Outcome, Shown
from pipeline.folds.fold import Fold
from pipeline.metrics.same_class import OF_RANKS, Space, same_class
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.combination import Combination, inner_predictions, predicted
from pipeline.tasks.context import Context, context_at
from pipeline.tasks.unit import Unit, result_of
from pipeline.tasks.views import fit_on, outer_views

VERSION = 1  # raised when the same results and features are compared otherwise


class _Compared(NamedTuple):
    """Vectors of the training rows (n, k) and of the test rows (m, k) of a fold."""

    train: Array
    test: Array


@dataclass(frozen=True, eq=False)
class SameClassTask(Shown):
    """A cell on a fold, whose test rows look for training rows of their class.

    Parameters
    ----------
    piece : without its rows.
    context : key of the Context that holds its fold.
    """

    stage: ClassVar[str] = "Same class"
    needs: ClassVar[tuple[str, ...]] = ()
    together: ClassVar[None] = None
    all_cores: ClassVar[bool] = False

    piece: Unit | Combination
    space: Space
    context: str
    memory: float

    @cached_property
    def ingredients(self) -> Ingredients:
        """Everything that decides its entry; see `pipeline.store.keys.key_of`.

        The key of the result holds rows, labels, features and the model.
        """
        return {
            "kind": "same class",
            "version": VERSION,
            "metrics": {name: metric.version for name, metric in OF_RANKS.items()},
            "space": self.space,
            "result": self.piece.key,
        }

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """See Task."""
        return (key_of(self.ingredients),)

    @property
    def label(self) -> str:
        """See Task."""
        return self.piece.cell.name

    @property
    def doing(self) -> str:
        """See Task."""
        return f"{self.label}, {self.piece.fold.in_words}"

    def compute(self, store: Store) -> dict[str, Outcome]:
        """See Task."""
        context = context_at(store, self.context)
        fold = context.fold(self.piece.fold.repeat, self.piece.fold.fold)
        work = partial(self._entry, self.piece.with_fold(fold), context, store)
        usable = partial(is_about, fold=fold)
        return {self.keys[0]: attempt(lambda: store.get(self.ingredients, work, usable))}

    def _entry(self, piece: Unit | Combination, context: Context, store: Store) -> Entry:
        if self.space == "probabilities":
            compared = _probabilities(piece, context, store)
        else:
            compared = _features(piece, context, store)
        values = same_class(
            compared.test, context.labels[piece.fold.test],
            compared.train, context.labels[piece.fold.train],
        )
        return Entry(
            {"values": np.stack([values[name] for name in OF_RANKS], axis=1)},
            {"label": f"{piece.cell.name}, {self.space}"},
        )


def is_about(entry: Entry, fold: Fold) -> bool:
    """Whether stored values have a row for each test row, and a column for each of OF_RANKS."""
    shape: tuple[int, ...] = entry.arrays["values"].shape
    return shape == (len(fold.test), len(OF_RANKS))


def has_space(piece: Unit | Combination, space: Space) -> bool:
    """Whether a cell's rows can be compared in a space."""
    if space == "features":
        return isinstance(piece, Unit) and isinstance(piece.estimator, PooledFusion)
    if isinstance(piece, Unit):
        return piece.keeps_inner
    return piece.is_whole and all(unit.keeps_inner for unit in piece.units)


def _features(piece: Unit | Combination, context: Context, store: Store) -> _Compared:
    """What the classifier is given, under the parameters that the inner folds chose."""
    assert isinstance(piece, Unit)
    views = outer_views(piece, context, store)
    fusion = piece.estimator.with_setting(result_of(piece, store).facts["parameters"])
    assert isinstance(fusion, PooledFusion)
    train, test = views.take(piece.fold.train), views.take(piece.fold.test)
    return _Compared(*fusion.compared(fit_on(views, piece.fold.outer, context), train, test))


def _probabilities(piece: Unit | Combination, context: Context, store: Store) -> _Compared:
    """Out-of-fold predictions of the training rows, and what is predicted of the test rows."""
    results = partial(result_of, store=store)
    if isinstance(piece, Unit):
        entry = results(piece)
        train, test = (np.asarray(entry.arrays[name]) for name in ("inner", "probabilities"))
        return _Compared(train, test)
    entry = predicted(piece, context, store, results)
    inner = inner_predictions(piece, [results(unit) for unit in piece.units], context)
    return _Compared(inner, np.asarray(entry.arrays["probabilities"]))
