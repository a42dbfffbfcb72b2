"""A unit: one cell on one outer fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import chain
from typing import Any, Protocol

import numpy as np

from features.block import BlockName, Modality, modalities_of
from models.cross_fitted import CrossFitted
from models.fusion import Fusion
from models.unlabelled import LearnsFromUnlabelled
from models.unseen_classes import RecognisesUnseenClasses
from pipeline.config.cells import Cell
from pipeline.config.grid import Grid
from pipeline.data.dataset import Dataset
from pipeline.folds.fold import Fold
from pipeline.metrics import METRICS
from pipeline.store.keys import Ingredients, key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.digests import (
    VERSIONS,
    class_texts_digest,
    further_versions,
    groups_digest,
    metric_ingredients,
    model_ingredients,
    rows_digest,
    unlabelled_digest,
    uses_groups,
)
from pipeline.tasks.encoding.features import Features
from pipeline.tasks.procedures import versions_of

RANKED_ROWS = ("_queries", "_candidates", "_nearest")  # arrays of ranks that hold rows


def result_of(unit: Unit, store: Store) -> Entry:
    """A unit's stored result. Raises FileNotFoundError where it is no longer there."""
    entry = store.load(unit.ingredients)
    if entry is None:
        raise FileNotFoundError(
            f"the result of {unit.cell.name} is missing from the store or damaged; run again"
        )
    return entry


def is_about(entry: Entry, fold: Fold, classes: int) -> bool:
    """Whether stored predictions have the rows of a fold and so many classes.

    Queries and candidates of stored ranks are rows of the fold.

    Parameters
    ----------
    fold : with its rows.
    """
    rows = {"probabilities": fold.test, "inner": fold.train}
    return all(
        array.shape == (len(rows[name]), classes)
        for name, array in entry.arrays.items()
        if name in rows
    ) and all(
        bool(np.isin(array, fold.test).all())
        for name, array in entry.arrays.items()
        if name.endswith(RANKED_ROWS)
    )


@dataclass(frozen=True, eq=False)
class Unit:
    """One cell on one outer fold: the piece of work whose result is stored.

    Parameters
    ----------
    features : for each block, those learned from the outer training rows, then from each inner
        fold's.
    settings : parameter settings that the inner folds choose among.
    keeps_inner : whether the result holds the chosen setting's predictions for the training rows,
        on the inner folds or on its own (CrossFitted), to choose a cell by and to learn a
        combination from.
    """

    cell: Cell
    fold: Fold
    estimator: Fusion
    settings: Sequence[Mapping[str, Any]]
    features: Mapping[BlockName, Sequence[Features]]
    keeps_inner: bool
    ingredients: Ingredients

    @cached_property
    def key(self) -> str:
        """Its result's key in the store."""
        return key_of(self.ingredients)

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of all its features."""
        return tuple(form.key for form in chain.from_iterable(self.features.values()))

    def without_rows(self) -> Unit:
        """As it travels: the rows of its fold are looked up where they are needed."""
        return replace(
            self,
            fold=self.fold.without_rows(),
            features={
                name: [form.without_rows() for form in forms]
                for name, forms in self.features.items()
            },
        )

    def with_fold(self, fold: Fold) -> Unit:
        """With the rows that it is about."""
        return replace(self, fold=fold)

    def is_result(self, entry: Entry, classes: int) -> bool:
        """Whether an entry may be its result, by the arrays that it has; it knows its rows."""
        return is_about(entry, self.fold, classes) and self.keeps_inner <= ("inner" in entry.arrays)

    @property
    def fits(self) -> int:
        """Models to fit: each setting on each inner fold, the chosen one on all training rows."""
        return len(self.settings) * len(self.fold.inner) + 1

    @property
    def fitted_rows(self) -> int:
        """Training rows of all fits, as many as the outer fold has for each: its cost."""
        return self.fits * len(self.fold.train)


class Requests(Protocol):
    """The features that a cell needs on a fold."""

    def of(self, cell: Cell, fold: Fold) -> dict[BlockName, list[Features]]:
        """Features of each block, for the outer training rows and those of every inner fold."""


class Units:
    """Makes the units of a grid: cells on folds, with everything that decides their results.

    Parameters
    ----------
    requests : gives the features that they need.
    """

    def __init__(self, grid: Grid, dataset: Dataset, requests: Requests) -> None:
        self._grid, self._dataset, self._requests = grid, dataset, requests
        # The same for all cells of the same modalities.
        self._rows_digest = cache(partial(rows_digest, dataset))

    def unit(self, cell: Cell, fold: Fold) -> Unit:
        """A cell on a fold."""
        estimator, settings = cell.estimator(self._grid.seed), cell.settings()
        # Where inner folds choose a setting, or the model itself has left each row out, such
        # predictions cost nothing more: cells are chosen by them too, and a rule added to the grid
        # later finds them.
        keeps_inner = bool(fold.inner) or isinstance(estimator, CrossFitted)
        features = self._requests.of(cell, fold)
        modalities = modalities_of(features)
        ingredients = {
            "kind": "result",
            "features": {name: [form.key for form in forms] for name, forms in features.items()},
            "rows": self._rows_digest(fold, modalities),
            "model": model_ingredients(estimator),
            **self._further_rows(estimator, fold, modalities),
            "settings": [dict(setting) for setting in settings],
            "tuning metric": self._tuning_metric() if len(settings) > 1 else None,
            **({"widened": cell.by_default} if len(settings) > 1 and cell.by_default else {}),
            "keeps inner": keeps_inner,
            "versions": {**VERSIONS, **further_versions(estimator)},
            **versions_of("fit", "temperature", *(("steps",) if cell.takes_steps else ())),
        }
        return Unit(cell, fold, estimator, settings, features, keeps_inner, ingredients)

    def _further_rows(
        self, estimator: Fusion, fold: Fold, modalities: tuple[Modality, ...]
    ) -> dict[str, str | None]:
        """What decides the results of those that learn from more than labelled rows one by one."""
        further: dict[str, str | None] = {}
        if uses_groups(estimator):
            further["groups"] = groups_digest(self._dataset, fold)
        if isinstance(estimator, LearnsFromUnlabelled):
            further["unlabelled"] = unlabelled_digest(self._dataset, fold, modalities)
        if isinstance(estimator, RecognisesUnseenClasses) and self._dataset.class_texts:
            further["class texts"] = class_texts_digest(self._dataset, modalities)
        return further

    def _tuning_metric(self) -> list[str | int]:
        name = self._grid.tuning_metric
        return metric_ingredients(name, METRICS[name].version)
