"""From stored results to scored out-of-fold predictions, and to the record that the report is made from."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.cells import Cell
from pipeline.data.dataset import Dataset
from pipeline.engine.attempts import Done, Failed, describe
from pipeline.folds.fold import Fold
from pipeline.metrics import METRICS
from pipeline.plan.execute import failures
from pipeline.plan.plan import Plan
from pipeline.store.manifest import Damaged, read_manifest
from pipeline.store.store import Store
from pipeline.tasks.combination import Combination, Results, predicted
from pipeline.tasks.context import Context
from pipeline.tasks.unit import Unit, result_of
from reports.record import FailureRecord, FoldRecord

Key = tuple[Cell, int, int]


@dataclass
class Outcome:
    """Scored predictions by (cell, repeat, fold), and what failed."""

    records: dict[Key, FoldRecord] = field(default_factory=dict)
    failures: list[FailureRecord] = field(default_factory=list)

    def add(self, cell: Cell, fold: Fold, make: Callable[[], FoldRecord]) -> None:
        """Add a record; what goes wrong in making it is a failure of this cell and fold only."""
        try:
            self.records[cell, fold.repeat, fold.fold] = make()
        except Exception as error:
            self.failures.append(FailureRecord(cell.name, fold.repeat, fold.fold, describe(error),
                                               traceback.format_exc()))


def collect(
    plan: Plan,
    outcomes: Mapping[int, Done | Failed],
    combined: Sequence[Combination],
    dataset: Dataset,
    context: Context,
    store: Store,
) -> Outcome:
    """Score every stored result, then combine and score those of the cells that have parts (late fusion)."""
    found = Outcome(failures=failures(plan, outcomes))
    costs = cache(partial(_cost, plan, store))
    results = cache(partial(result_of, store=store))  # many cells may combine it
    for position, unit in enumerate(plan.units):
        outcome = outcomes[position]
        if isinstance(outcome, Done):
            found.add(
                unit.cell, unit.fold, partial(_stored, unit, outcome, dataset, results, costs)
            )
    for combination in combined:
        make = partial(_combined, combination, dataset, context, results, dict(found.records))
        found.add(combination.cell, combination.fold, make)
    return found


def _cost(plan: Plan, store: Store, key: str) -> tuple[float, int]:
    """Seconds that encoding took, and the bytes of the stored features; 0 where they are no longer there.

    Forms that come from one pass over the samples share its seconds, which are kept with one of
    them only.
    """
    one = plan.features[key]
    forms = [
        other
        for other in plan.features.values()
        if (other.modality, other.component, other.ingredients["train"])
        == (one.modality, one.component, one.ingredients["train"])
    ]
    size = (
        sum(file["bytes"] for file in manifest["files"].values())
        if (manifest := manifest_of(store, key))
        else 0
    )
    return max(store.seconds(form.ingredients) or 0.0 for form in forms), int(size)


def manifest_of(store: Store, key: str) -> dict[str, Any] | None:
    """The manifest of an entry; None where there is no sound one."""
    try:
        return read_manifest(store.folder(key))
    except Damaged:
        return None


def _stored(
    unit: Unit,
    outcome: Done,
    dataset: Dataset,
    results: Results,
    costs: Callable[[str], tuple[float, int]],
) -> FoldRecord:
    entry = results(unit)
    probabilities: NDArray[np.float64] = np.asarray(entry.arrays["probabilities"])
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
        scores=_scores(dataset, unit.fold, probabilities),
        fit_seconds=entry.facts["fit_seconds"],
        predict_seconds=entry.facts["predict_seconds"],
        reused=outcome.reused,
        **_features_cost(unit, costs),
        model_bytes=entry.facts.get("model_bytes"),
        temperature=entry.facts.get("temperature"),
        training=entry.facts.get("training"),
    )


def _features_cost(unit: Unit, costs: Callable[[str], tuple[float, int]]) -> dict[str, Any]:
    """Seconds and bytes of the features it is tested on (those of its inner folds come on top in a run only)."""
    each = [costs(many[0].key) for many in unit.features.values()]
    return {
        "encode_seconds": sum(seconds for seconds, _ in each),
        "feature_bytes": sum(size for _, size in each),
    }


def _scores(dataset: Dataset, fold: Fold, probabilities: NDArray[np.float64]) -> dict[str, float]:
    labels = dataset.labels[fold.test]
    return {name: metric(labels, probabilities) for name, metric in METRICS.items()}


def _combined(
    combination: Combination,
    dataset: Dataset,
    context: Context,
    results: Results,
    records: Mapping[Key, FoldRecord],
) -> FoldRecord:
    """Predictions of a cell that combines others: they cost no fits of their own."""
    cell, fold = combination.cell, combination.fold
    for part in cell.parts:
        if (part, fold.repeat, fold.fold) not in records:
            raise ValueError(f"it combines {part.name}, which failed on this fold")
    parts = [records[part, fold.repeat, fold.fold] for part in cell.parts]
    entry = predicted(combination, context, results)
    # Rules that learn nothing take next to no time, and never quite the same twice.
    own = (
        entry.facts
        if combination.estimator.learns_combination
        else {"fit_seconds": 0.0, "predict_seconds": 0.0}
    )
    probabilities: NDArray[np.float64] = np.asarray(entry.arrays["probabilities"])
    return FoldRecord(
        cell=cell.name,
        repeat=fold.repeat,
        fold=fold.fold,
        n_train=len(fold.train),
        rows=fold.test,
        parameters=_choices(cell, parts, entry.facts["weights"]),
        probabilities=probabilities,
        scores=_scores(dataset, fold, probabilities),
        fit_seconds=sum(part.fit_seconds for part in parts) + own["fit_seconds"],
        predict_seconds=sum(part.predict_seconds for part in parts) + own["predict_seconds"],
        reused=all(part.reused for part in parts),
        encode_seconds=sum(part.encode_seconds for part in parts),
        feature_bytes=sum(part.feature_bytes for part in parts),
        model_bytes=_sum(part.model_bytes for part in parts),
        temperature=entry.facts.get("temperature"),
    )


def _sum(sizes: Iterable[int | None]) -> int | None:
    known = list(sizes)
    return None if None in known else sum(size for size in known if size is not None)


def _choices(
    cell: Cell, parts: Sequence[FoldRecord], weights: Sequence[float] | None
) -> dict[str, Any]:
    """Weights of a combination's parts, where it gives them some; of one part of each modality also its choices."""
    names = [" + ".join(part.encoder_labels()) if cell.image and cell.text else
             " + ".join(part.encoder_labels().values()) for part in cell.parts]
    found = (
        {}
        if weights is None
        else {
            f"weight of {name}": round(weight, 2)
            for name, weight in zip(names, weights, strict=True)
            if weight > 0
        }
    )
    if cell.image and cell.text:
        found |= {f"{name}: {key}": value for name, part in zip(names, parts, strict=True)
                  for key, value in part.parameters.items()}
    return found
