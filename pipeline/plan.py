"""What a run has to do: every cell on every fold, the features each needs, and what the store already holds."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.block import Modality
from models import FUSIONS
from models.fusion import Fusion
from pipeline.cells import Cell
from pipeline.config import Grid
from pipeline.dataset import Dataset
from pipeline.encode import Features, described_once, numbered_groups, plain_parameters, request, with_stages
from pipeline.folds import Fold
from pipeline.metrics import METRICS
from pipeline.procedures import versions_of
from pipeline.store import Ingredients, key_of
from reports.record import FailureRecord

Rows = NDArray[np.int64]
# Packages whose releases may change what a fitted model predicts.
VERSIONS = {name: version(name) for name in ("numpy", "scipy", "scikit-learn", "torch")}
# Fusions whose predictions another one may combine.
COMBINED = frozenset(name for fusion in FUSIONS.values() for name in fusion.combines)


@dataclass(frozen=True, eq=False)
class Unit:
    """One cell on one outer fold: the piece of work whose result is stored.

    Parameters
    ----------
    features : for each modality, those learned from the outer training rows, then from each inner fold's.
    settings : parameter settings that the inner folds choose among.
    keeps_inner : whether the result holds the chosen setting's predictions on the inner folds, to learn a
        combination from.
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


@dataclass(frozen=True, eq=False)
class Plan:
    """All units of a run, all distinct features they need, and the cells that cannot even be planned."""

    units: tuple[Unit, ...]
    features: Mapping[str, Features]
    failures: tuple[FailureRecord, ...]


class Requests(Protocol):
    """The features that a cell needs on a fold."""

    def of(self, cell: Cell, fold: Fold) -> dict[Modality, list[Features]]:
        """Features of each modality for the outer training rows and for those of every inner fold."""


class _Requests:
    """The features that units ask for, learned from their own training rows, each described once."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self._dataset, self._seed, self._describe = dataset, seed, described_once()
        self._known: dict[tuple[Any, ...], Features] = {}

    def of(self, cell: Cell, fold: Fold) -> dict[Modality, list[Features]]:
        """See Requests."""
        training = [fold.train, *(train for train, _ in fold.inner)]
        found: dict[Modality, list[Features]] = {}
        for modality, (component, form) in cell.encoders().items():
            found[modality] = []
            for position, rows in enumerate(training):
                place = (modality, component, form, fold.repeat, fold.fold, position)
                if place not in self._known:
                    self._known[place] = request(self._dataset, modality, component, form, rows, self._seed,
                                                 self._describe)
                found[modality].append(self._known[place])
        return found


def make_plan(
    grid: Grid, cells: Sequence[Cell], dataset: Dataset, folds: Sequence[Fold], requests: Requests | None = None
) -> Plan:
    """Describe all work; computes no features and fits nothing.

    `requests` says which features the models get, where these are not learned from their own training rows.
    """
    requests = requests or _Requests(dataset, grid.seed)
    learned_from = {part for cell in cells if cell.parts and cell.estimator(grid.seed).learns_combination
                    for part in cell.parts}
    alone = {fold: replace(fold, inner=()) for fold in folds}
    digest = cache(partial(_rows_digest, dataset))  # the same for many cells
    units: list[Unit] = []
    failures: list[FailureRecord] = []
    for cell in (cell for cell in cells if not cell.parts):
        try:
            units += [_unit(grid, cell, dataset, fold if _uses_inner(cell, learned_from) else alone[fold], requests,
                            digest) for fold in folds]
        except Exception as error:  # a component that cannot be set up fails its cells, not the run
            failures.append(FailureRecord(cell.name, None, None, describe(error), traceback.format_exc()))
    features = with_stages(one for unit in units for many in unit.features.values() for one in many)
    return Plan(tuple(units), features, tuple(failures))


def describe(error: BaseException) -> str:
    """An error in one line: its class and message."""
    return f"{type(error).__name__}: {error}".strip().rstrip(":")


def _uses_inner(cell: Cell, learned_from: Collection[Cell]) -> bool:
    """Whether inner folds have a part in its results: to choose by, or for others to learn from."""
    return len(cell.settings()) > 1 or cell in learned_from


def _unit(
    grid: Grid, cell: Cell, dataset: Dataset, fold: Fold, requests: Requests,
    digest: Callable[[Fold, tuple[Modality, ...]], str],
) -> Unit:
    estimator, settings = cell.estimator(grid.seed), cell.settings()
    # Where inner folds choose, their predictions cost nothing more: a rule added to the grid later finds them.
    keeps_inner = bool(fold.inner) and cell.fusion.name in COMBINED
    features = requests.of(cell, fold)
    ingredients = {
        "kind": "result",
        "features": {modality: [one.key for one in many] for modality, many in features.items()},
        "rows": digest(fold, tuple(features)),
        "model": {"class": type(estimator).__name__, "version": estimator.version,
                  "parameters": plain_parameters(estimator)},
        **({"groups": _groups_digest(dataset, fold)} if _uses_groups(estimator) else {}),
        **({"unlabelled": _unlabelled_digest(dataset, fold, tuple(features))} if estimator.uses_unlabelled else {}),
        **({"class texts": _described_digest(dataset, tuple(features))} if estimator.recognises_unseen
           and dataset.described is not None else {}),
        "settings": [dict(setting) for setting in settings],
        "tuning metric": [grid.tuning_metric, METRICS[grid.tuning_metric].version] if len(settings) > 1 else None,
        "keeps inner": keeps_inner,
        "versions": VERSIONS,
        **versions_of("fit", "temperature"),
    }
    return Unit(cell, fold, estimator, settings, features, keeps_inner, ingredients)


def _rows_digest(dataset: Dataset, fold: Fold, modalities: tuple[Modality, ...]) -> str:
    """Digest of the samples and classes of the fold's rows, in order, and of its inner folds."""
    rows = np.concatenate([fold.train, fold.test])
    place = {int(row): position for position, row in enumerate(fold.train)}
    return key_of({
        "classes": dataset.classes,
        "train": len(fold.train),
        "labels": dataset.labels[rows].tolist(),
        "samples": {modality: _sample_digests(dataset, modality, rows) for modality in modalities},
        "inner": [[[place[int(row)] for row in part] for part in split] for split in fold.inner],
    })


def _uses_groups(estimator: Fusion) -> bool:
    """Whether the fusion or its classifier learns from groups."""
    classifier = estimator.get_params(deep=False).get("classifier")
    return estimator.uses_groups or bool(getattr(classifier, "uses_groups", False))


def _unlabelled_digest(dataset: Dataset, fold: Fold, modalities: Sequence[Modality]) -> str:
    """Digest of the samples that each split of the fold learns from without a label, in order, and of their groups."""
    return key_of({"splits": [{
        "samples": {modality: _sample_digests(dataset, modality, rows) for modality in modalities},
        "groups": _listed_groups(dataset, np.concatenate([train, rows])),
    } for train, _, rows in fold.splits()]})


def _described_digest(dataset: Dataset, modalities: Sequence[Modality]) -> str:
    """Digest of the classes' texts, in order, and that there are some, where a model uses none."""
    assert dataset.described is not None
    digests = dataset.views["text"].digests if "text" in modalities else ()
    return key_of({"texts": [[dataset.classes[code], digests[position]] for code, position in
                             zip(dataset.described.classes, dataset.described.positions, strict=True)]
                   if digests else []})


def _groups_digest(dataset: Dataset, fold: Fold) -> str | None:
    """Digest of which training rows belong together."""
    groups = _listed_groups(dataset, fold.train)
    return None if groups is None else key_of({"groups": groups})


def _listed_groups(dataset: Dataset, rows: Rows) -> list[int] | None:
    groups = numbered_groups(dataset, rows)
    return None if groups is None else list(groups.tolist())


def _sample_digests(dataset: Dataset, modality: Modality, rows: Rows) -> list[str | None]:
    modal = dataset.views[modality]
    return [modal.digests[position] if position >= 0 else None for position in modal.index[rows]]
