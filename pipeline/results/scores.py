"""From stored results to scored out-of-fold predictions."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.cells import Cell
from pipeline.config.plugins.modules import PluginError
from pipeline.engine.attempts import failure
from pipeline.engine.task import Done
from pipeline.folds.fold import Fold
from pipeline.metrics import METRICS
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import PlanOutcomes
from pipeline.plan.plan import Plan
from pipeline.store.store import Store
from pipeline.tasks.combination import Combination, predicted
from pipeline.tasks.unit import Unit, result_of
from reports.fold_record import FailureRecord, FoldRecord

logger = logging.getLogger("modalgrid.plugins")
Key = tuple[Cell, int, int]  # cell, repeat, fold


class Scores:
    """Scored predictions of a plan.

    Attributes
    ----------
    records : by (cell, repeat, fold).
    failures : what failed, in computing or in scoring.
    """

    def __init__(self, plan: Plan, outcomes: PlanOutcomes, comparison: Comparison) -> None:
        self.records: dict[Key, FoldRecord] = {}
        self.failures: list[FailureRecord] = plan.failed(outcomes.units)
        self._comparison = comparison
        self._failing: set[str] = set()  # metrics
        self._result = cache(partial(result_of, store=comparison.store))  # others may combine it
        self._costs = _Costs(plan, comparison.store)
        for unit in plan.units:
            outcome = outcomes.units[unit.key]
            if isinstance(outcome, Done):
                self._add(unit, partial(self._fitted, unit, outcome))
        for combination in plan.combinations:
            self._add(combination, partial(self._combined, combination))

    def ordered(self, cells: Iterable[Cell]) -> tuple[FoldRecord, ...]:
        """Records of some cells, cell by cell and fold by fold."""
        numbers = [(fold.repeat, fold.fold) for fold in self._comparison.folds]
        keys = [(cell, *fold) for cell, fold in itertools.product(cells, numbers)]
        return tuple(self.records[key] for key in keys if key in self.records)

    def inner(self, unit: Unit) -> NDArray[np.float64] | None:
        """Predictions (n_train, K) on inner folds that a unit's result holds; None without any."""
        if (unit.cell, unit.fold.repeat, unit.fold.fold) not in self.records:
            return None
        return np.asarray(self._result(unit).arrays["inner"])

    def _add(self, piece: Unit | Combination, make: partial[FoldRecord]) -> None:
        """Add a record; what goes wrong in making it is a failure of this cell and fold only."""
        numbers = piece.fold.repeat, piece.fold.fold
        try:
            self.records[piece.cell, *numbers] = make()
        except Exception as error:
            failed = failure(error)
            record = FailureRecord(piece.cell.name, *numbers, failed.error, failed.traceback)
            self.failures.append(record)

    def _fitted(self, unit: Unit, outcome: Done) -> FoldRecord:
        entry = self._result(unit)
        probabilities: NDArray[np.float64] = np.asarray(entry.arrays["probabilities"])
        seconds, size = self._costs.of(unit)
        return FoldRecord(
            cell=unit.cell.name,
            repeat=unit.fold.repeat,
            fold=unit.fold.fold,
            n_train=len(unit.fold.train),
            rows=unit.fold.test,
            probabilities=probabilities,
            parameters={
                name.removeprefix("classifier__"): value
                for name, value in entry.facts["parameters"].items()
            },
            scores=self._scores(unit.fold, probabilities),
            fit_seconds=entry.facts["fit_seconds"],
            predict_seconds=entry.facts["predict_seconds"],
            reused=outcome.reused,
            encode_seconds=seconds,
            feature_bytes=size,
            model_bytes=entry.facts.get("model_bytes"),
            temperature=entry.facts.get("temperature"),
            training=entry.facts.get("training"),
        )

    def _scores(self, fold: Fold, probabilities: NDArray[np.float64]) -> dict[str, float]:
        labels = self._comparison.dataset.labels[fold.test]
        return {name: self._score(name, labels, probabilities) for name in METRICS}

    def _score(
        self, name: str, labels: NDArray[np.int64], probabilities: NDArray[np.float64]
    ) -> float:
        """A score; nan where a plugin's metric fails that nothing is ranked by."""
        try:
            return METRICS[name](labels, probabilities)
        except PluginError as error:
            if name == self._comparison.grid.metric:
                raise
            if name not in self._failing:
                logger.warning("warning: %s; its scores are left empty", error)
            self._failing.add(name)
            return float("nan")

    def _combined(self, combination: Combination) -> FoldRecord:
        """Predictions of a cell that combines others: they cost no fits of their own."""
        cell, fold = combination.cell, combination.fold
        parts = self._parts(cell, fold)
        comparison = self._comparison
        entry = predicted(combination, comparison.context, comparison.store, self._result)
        # Rules that learn nothing take next to no time, and never quite the same twice.
        learns = combination.estimator.learns_combination
        facts = entry.facts if learns else {"fit_seconds": 0.0, "predict_seconds": 0.0}
        probabilities: NDArray[np.float64] = np.asarray(entry.arrays["probabilities"])
        return FoldRecord(
            cell=cell.name,
            repeat=fold.repeat,
            fold=fold.fold,
            n_train=len(fold.train),
            rows=fold.test,
            parameters=_choices(cell, parts, entry.facts["weights"]),
            probabilities=probabilities,
            scores=self._scores(fold, probabilities),
            fit_seconds=sum(part.fit_seconds for part in parts) + facts["fit_seconds"],
            predict_seconds=sum(part.predict_seconds for part in parts) + facts["predict_seconds"],
            reused=all(part.reused for part in parts),
            encode_seconds=sum(part.encode_seconds for part in parts),
            feature_bytes=sum(part.feature_bytes for part in parts),
            model_bytes=_sum(part.model_bytes for part in parts),
            temperature=entry.facts.get("temperature"),
        )

    def _parts(self, cell: Cell, fold: Fold) -> list[FoldRecord]:
        for part in cell.parts:
            if (part, fold.repeat, fold.fold) not in self.records:
                raise ValueError(f"it combines {part.name}, which failed on this fold")
        return [self.records[part, fold.repeat, fold.fold] for part in cell.parts]


class _Costs:
    """What the features of units cost, from the store's manifests; each is looked up once."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._store = plan, store
        self._of = cache(self._of_features)

    def of(self, unit: Unit) -> tuple[float, int]:
        """Seconds and bytes of the features a unit is tested on.

        Those of its inner folds come on top in a run only.
        """
        costs = [self._of(forms[0].key) for forms in unit.features.values()]
        return sum(seconds for seconds, _ in costs), sum(size for _, size in costs)

    def _of_features(self, key: str) -> tuple[float, int]:
        """Seconds that encoding took, and the bytes that are stored; 0 where it is no longer there.

        Forms that come from one pass over the samples share its seconds, which are kept with one of
        them only.
        """
        features = self._plan.features[key]
        pass_over = features.modality, features.component, features.ingredients["train"]
        forms = [
            other
            for other in self._plan.features.values()
            if (other.modality, other.component, other.ingredients["train"]) == pass_over
        ]
        numbers = features.numbers_of_sample(self._store) or 0.0
        seconds = max(form.encode_seconds(self._store) or 0.0 for form in forms)
        return seconds, round(4 * numbers * features.count)


def _sum(sizes: Iterable[int | None]) -> int | None:
    known = list(sizes)
    return None if None in known else sum(size for size in known if size is not None)


def _choices(
    cell: Cell, parts: Sequence[FoldRecord], weights: Sequence[float] | None
) -> Mapping[str, Any]:
    """Weights of a combination's parts, where it gives some; of a pair also its parts' choices."""
    is_pair = bool(cell.image and cell.text)
    # a modality tells its part, unless several parts are of it
    by_encoder = {"image", "text"} if not is_pair else cell.together().keys()
    names = [
        " + ".join(
            label if modality in by_encoder else modality
            for modality, label in part.encoder_labels().items()
        )
        for part in cell.parts
    ]
    choices: dict[str, Any] = {}
    for name, weight in zip(names, weights or (), strict=weights is not None):
        if weight > 0:
            choices[f"weight of {name}"] = round(weight, 2)
    if is_pair:
        for name, part in zip(names, parts, strict=True):
            choices |= {f"{name}: {key}": value for key, value in part.parameters.items()}
    return choices
