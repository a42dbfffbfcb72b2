"""Match pictures and texts: learn a cell's space on a fold, rank what its test rows ask for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.block import Block, BlockName, Modality, modalities_of
from models.matching import SharesSpace, Space
from models.views import Views
from pipeline.config.cells import WIDENINGS, Cell
from pipeline.data.rows import Rows
from pipeline.folds.fold import Fold
from pipeline.metrics.ranks import Ranks, Relevance, ranks
from pipeline.metrics.retrieval import RETRIEVAL_METRICS, RetrievalMetric
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.context import Context
from pipeline.tasks.digests import (
    VERSIONS,
    further_versions,
    metric_ingredients,
    model_ingredients,
)
from pipeline.tasks.fit import FitTask
from pipeline.tasks.unit import Unit, Units
from pipeline.tasks.views import fit_of, loaded_blocks

Direction: TypeAlias = Literal["text_to_image", "image_to_text"]
SIDES: dict[Direction, tuple[Modality, Modality]] = {
    "text_to_image": ("text", "image"),
    "image_to_text": ("image", "text"),
}
VERSION = 1  # raised when the same spaces and rows give other ranks
INNER = "inner_"  # what arrays of ranks on inner folds begin with
NEAREST = 5  # best candidates of each query that are kept
ByDirection: TypeAlias = Mapping[Direction, Ranks]


class MatchTask(FitTask):
    """A cell on a fold, whose result are ranks instead of probabilities."""

    stage: ClassVar[str] = "Spaces"

    def result(self, unit: Unit, context: Context, store: Store) -> Entry:
        """See FitTask."""
        return _result(unit, context, store)


class MatchingUnits(Units):
    """Makes units whose results are ranks: classes and classifiers have no part in them."""

    def unit(self, cell: Cell, fold: Fold) -> Unit:
        """See Units.unit."""
        estimator, settings = cell.estimator(self._grid.seed), cell.settings()
        features = self._requests.of(cell, fold)
        modalities = modalities_of(features)
        metric = self._grid.tuning_metric
        version = RETRIEVAL_METRICS[metric].version
        chosen_by = metric_ingredients(metric, version) if len(settings) > 1 else None
        ingredients = {
            "kind": "ranks",
            "features": {name: [form.key for form in forms] for name, forms in features.items()},
            "rows": self._rows_digest(fold, modalities),
            "model": {
                **model_ingredients(estimator),
                "parameters": model_ingredients(_space(estimator, {}))["parameters"],
            },
            **self._further_rows(estimator, fold, modalities),
            "settings": [dict(setting) for setting in settings],
            "tuning metric": chosen_by,
            **({"widened": cell.by_default} if len(settings) > 1 and cell.by_default else {}),
            "nearest": NEAREST,
            "version": VERSION,
            "versions": {**VERSIONS, **further_versions(estimator)},
        }
        return Unit(cell, fold, estimator, settings, features, False, ingredients)


def _space(estimator: Any, setting: Mapping[str, Any]) -> Any:
    """The unfitted space of a fusion under a setting."""
    assert isinstance(estimator, SharesSpace)  # the grid was checked for it
    return estimator.with_setting(setting).space()


def _result(unit: Unit, context: Context, store: Store) -> Entry:
    """Choose a setting on the inner folds, learn the space, rank what the test rows ask for."""
    blocks = loaded_blocks(unit, context, store)
    begun = time.perf_counter()
    choice = choose(unit, context, blocks)
    outer = fit_of(unit, 0, blocks, context)
    space = _space(unit.estimator, choice.setting).fit(outer.train)
    fitted = time.perf_counter()
    pairs = Pairs.of(outer.test.take(np.arange(len(unit.fold.test))))
    by_direction = pairs.ranked(space, NEAREST)
    ranked = time.perf_counter()
    arrays = inner_arrays(choice.ranked)
    for direction, of_queries in by_direction.items():
        arrays |= _named(direction, of_queries, pairs, unit.fold.test)
    return Entry(
        arrays,
        {
            "label": unit.cell.name,
            "parameters": dict(choice.setting),
            "inner": choice.means,
            "class": type(unit.estimator).__name__,
            "work": unit.fitted_rows,
            "fit_seconds": fitted - begun,
            "predict_seconds": ranked - fitted,
        },
    )


def _named(
    direction: Direction, of_queries: Ranks, pairs: Pairs, test: Rows
) -> dict[str, NDArray[Any]]:
    """Ranks as arrays of an entry; queries and candidates as rows of the data set."""
    asked, offered = SIDES[direction]
    rows = {modality: test[pairs.rows[modality]] for modality in (asked, offered)}
    arrays = {
        "ranks": of_queries.ranks,
        "ends": of_queries.ends,
        "queries": rows[asked],
        "candidates": rows[offered],
        "nearest": rows[offered][of_queries.nearest],
    }
    return {f"{direction}_{name}": array.astype(np.int32) for name, array in arrays.items()}


def ranks_of(entry: Entry, direction: Direction) -> tuple[Ranks, Rows]:
    """The ranks in an entry, their nearest candidates as rows, and the row of each query."""
    ends, rank_of, nearest, queries, candidates = (
        np.asarray(entry.arrays[f"{direction}_{name}"], dtype=np.int64)
        for name in ("ends", "ranks", "nearest", "queries", "candidates")
    )
    return Ranks(rank_of, ends, len(candidates), nearest), queries


class Pairs:
    """Distinct pictures and texts of some rows, and which of them belong together.

    Identical texts are one, and so are identical pictures: relevant for a text are all pictures
    that any row has it with.

    Attributes
    ----------
    rows : of each modality, int64 (m,): a row that has each of its distinct samples.
    """

    def __init__(self, views: Views, rows: Mapping[Modality, Rows], codes: Mapping[Modality, Rows]):
        self._views, self.rows, self._codes = views, rows, codes

    @classmethod
    def of(cls, views: Views) -> Pairs:
        """Of those of n samples that lack no modality; without any raises ValueError."""
        blocks = views.by_modality()
        there = np.flatnonzero(np.all([block.present for block in blocks.values()], axis=0))
        if not len(there):
            raise ValueError(f"none of {len(views)} test rows has both a picture and a text")
        rows: dict[Modality, Rows] = {}
        codes: dict[Modality, Rows] = {}
        for modality, block in blocks.items():
            _, first, numbers = np.unique(
                block.index[there], return_index=True, return_inverse=True
            )
            rows[modality], codes[modality] = there[first], numbers.astype(np.int64)
        return cls(views, rows, codes)

    def ranked(self, space: Space, nearest: int = 0) -> ByDirection:
        """Ranks of each direction in a space."""
        blocks = self._views.by_modality()
        points = {
            modality: space.project(modality, block.take(self.rows[modality]))
            for modality, block in blocks.items()
        }
        by_direction: dict[Direction, Ranks] = {}
        for direction, (asked, offered) in SIDES.items():
            relevance = Relevance.of_pairs(
                self._codes[asked], self._codes[offered], len(self.rows[asked])
            )
            by_direction[direction] = ranks(points[asked], points[offered], relevance, nearest)
        return by_direction


class InnerFolds:
    """The inner folds of a unit: pairs to learn spaces from, and pairs that are asked there.

    Parameters
    ----------
    blocks : of the outer split, then of each inner one, for each encoder.
    """

    def __init__(
        self, unit: Unit, context: Context, blocks: Mapping[BlockName, Sequence[Block]]
    ) -> None:
        self._estimator = unit.estimator
        numbers = range(1, len(unit.fold.inner) + 1)
        self._fits = [fit_of(unit, number, blocks, context) for number in numbers]
        self._tested = [
            Pairs.of(fit.test.take(np.arange(len(test))))
            for fit, (_, test) in zip(self._fits, unit.fold.inner, strict=True)
        ]

    def ranked(self, setting: Mapping[str, Any]) -> list[ByDirection]:
        """Ranks of each inner fold's test pairs in the space that its training pairs give."""
        spaces = [_space(self._estimator, setting).fit(fit.train) for fit in self._fits]
        return [pairs.ranked(space) for pairs, space in zip(self._tested, spaces, strict=True)]


class Choice(NamedTuple):
    """The setting that inner folds choose.

    Parameters
    ----------
    means : mean scores of all settings; none where there is nothing to choose.
    ranked : of each inner fold under the chosen setting; none where there is nothing to choose.
    """

    setting: Mapping[str, Any]
    means: list[float]
    ranked: Sequence[ByDirection]


def choose(
    unit: Unit, context: Context, blocks: Mapping[BlockName, Sequence[Block]]
) -> Choice:
    """The setting with the best mean score over inner folds and both directions.

    The first of equals; candidates by default are widened as pipeline.tasks.inner.choose does.
    """
    settings: list[Mapping[str, Any]] = list(unit.settings)
    if len(settings) < 2:
        return Choice(settings[0], [], [])
    metric, means = RETRIEVAL_METRICS[context.tuning_metric], list[float]()
    folds, ranked = InnerFolds(unit, context, blocks), list[list[ByDirection]]()
    for widenings in range(1 + WIDENINGS):
        ranked += [folds.ranked(setting) for setting in settings[len(means) :]]
        means = [inner_score(of_setting, metric) for of_setting in ranked]
        best = int(np.argmax(np.array(means) * (1 if metric.greater_is_better else -1)))
        further = unit.cell.wider(settings, settings[best])
        if not further or widenings == WIDENINGS:
            break
        settings += further
    return Choice(settings[best], means, ranked[best])


def inner_score(ranked: Sequence[ByDirection], metric: RetrievalMetric) -> float:
    """Mean score over inner folds and both directions."""
    return float(np.mean([
        np.mean([metric(of_queries) for of_queries in by_direction.values()])
        for by_direction in ranked
    ]))


def inner_arrays(ranked: Sequence[ByDirection]) -> dict[str, NDArray[Any]]:
    """Ranks on inner folds as arrays of an entry, fold after fold; `inner_ranks` reads them."""
    arrays: dict[str, NDArray[Any]] = {}
    for direction in SIDES if ranked else ():
        parts = [by_direction[direction] for by_direction in ranked]
        sizes = np.concatenate([part.sizes for part in parts])
        named = {
            "ranks": np.concatenate([part.ranks for part in parts]),
            "ends": np.cumsum(sizes),
            "folds": np.array([[len(part), part.candidates] for part in parts]),
        }
        arrays |= {
            f"{INNER}{direction}_{name}": array.astype(np.int32) for name, array in named.items()
        }
    return arrays


def inner_ranks(entry: Entry) -> list[ByDirection]:
    """The ranks on inner folds in an entry; none where it has none."""
    if f"{INNER}{next(iter(SIDES))}_ranks" not in entry.arrays:
        return []
    by_fold = [_inner_ranks(entry, direction) for direction in SIDES]
    return [dict(zip(SIDES, of_fold, strict=True)) for of_fold in zip(*by_fold, strict=True)]


def _inner_ranks(entry: Entry, direction: Direction) -> list[Ranks]:
    """Those of one direction, fold by fold, without nearest candidates."""
    rank_of, ends, folds = (
        np.asarray(entry.arrays[f"{INNER}{direction}_{name}"], dtype=np.int64)
        for name in ("ranks", "ends", "folds")
    )
    parts, start, queries = [], 0, 0
    for count, candidates in folds.tolist():
        of_fold = ends[queries : queries + count]
        end, nothing = int(of_fold[-1]), np.zeros((count, 0), dtype=np.int64)
        parts.append(Ranks(rank_of[start:end], of_fold - start, candidates, nothing))
        start, queries = end, queries + count
    return parts
