"""A unit: one cell on one outer fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from features.block import Modality
from models import FUSIONS
from models.fusion import Fusion
from pipeline.config.cells import Cell
from pipeline.config.grid import Grid
from pipeline.data.dataset import Dataset
from pipeline.folds.fold import Fold
from pipeline.metrics import METRICS
from pipeline.store.keys import Ingredients
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.digests import (
    VERSIONS,
    class_texts_digest,
    groups_digest,
    plain_parameters,
    unlabelled_digest,
    uses_groups,
)
from pipeline.tasks.features import Features
from pipeline.tasks.procedures import versions_of

# Fusions whose predictions another one may combine.
COMBINED = frozenset(name for fusion in FUSIONS.values() for name in fusion.combines)


def result_of(unit: Unit, store: Store) -> Entry:
    """A unit's stored result. Raises FileNotFoundError where it is no longer there."""
    entry = store.load(unit.ingredients)
    if entry is None:
        raise FileNotFoundError(
            f"the result of {unit.cell.name} is missing from the store or damaged; run again"
        )
    return entry


@dataclass(frozen=True, eq=False)
class Unit:
    """One cell on one outer fold: the piece of work whose result is stored.

    Parameters
    ----------
    features : for each modality, those learned from the outer training rows, then from each inner
        fold's.
    settings : parameter settings that the inner folds choose among.
    keeps_inner : whether the result holds the chosen setting's predictions on the inner folds, to
        learn a combination from.
    """

    cell: Cell
    fold: Fold
    estimator: Fusion
    settings: Sequence[Mapping[str, Any]]
    features: Mapping[Modality, Sequence[Features]]
    keeps_inner: bool
    ingredients: Ingredients

    @property
    def fits(self) -> int:
        """Models to fit: each setting on each inner fold, and the chosen one on all training rows."""
        return len(self.settings) * len(self.fold.inner) + 1

    @property
    def fitted_rows(self) -> int:
        """Training rows of all fits, counted as those of the outer fold for each: what its cost is told by."""
        return self.fits * len(self.fold.train)


class Requests(Protocol):
    """The features that a cell needs on a fold."""

    def of(self, cell: Cell, fold: Fold) -> dict[Modality, list[Features]]:
        """Features of each modality for the outer training rows and for those of every inner fold."""


def make_unit(
    grid: Grid, cell: Cell, dataset: Dataset, fold: Fold, requests: Requests,
    digest: Callable[[Fold, tuple[Modality, ...]], str],
) -> Unit:
    """A cell on a fold, with everything that decides its result; `digest` gives that of the fold's rows."""
    estimator, settings = cell.estimator(grid.seed), cell.settings()
    # Where inner folds choose, their predictions cost nothing more: a rule added to the grid later
    # finds them.
    keeps_inner = bool(fold.inner) and cell.fusion.name in COMBINED
    features = requests.of(cell, fold)
    ingredients = {
        "kind": "result",
        "features": {modality: [one.key for one in many] for modality, many in features.items()},
        "rows": digest(fold, tuple(features)),
        "model": {
            "class": type(estimator).__name__,
            "version": estimator.version,
            "parameters": plain_parameters(estimator),
        },
        **({"groups": groups_digest(dataset, fold)} if uses_groups(estimator) else {}),
        **(
            {"unlabelled": unlabelled_digest(dataset, fold, tuple(features))}
            if estimator.uses_unlabelled
            else {}
        ),
        **(
            {"class texts": class_texts_digest(dataset, tuple(features))}
            if estimator.recognises_unseen and dataset.class_texts is not None
            else {}
        ),
        "settings": [dict(setting) for setting in settings],
        "tuning metric": [grid.tuning_metric, METRICS[grid.tuning_metric].version]
        if len(settings) > 1
        else None,
        "keeps inner": keeps_inner,
        "versions": VERSIONS,
        **versions_of("fit", "temperature"),
    }
    return Unit(cell, fold, estimator, settings, features, keeps_inner, ingredients)
