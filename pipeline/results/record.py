"""The parts of a run's record that the comparison itself gives."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import starmap

import numpy as np

from pipeline.config.cells import Cell
from pipeline.data.card import card
from pipeline.data.thumbnails import thumbnail
from pipeline.engine.task import Done, Outcome, Outcomes
from pipeline.folds.wording import describe
from pipeline.metrics import METRICS
from pipeline.plan.comparison import Comparison
from pipeline.plan.execute import PlanOutcomes
from pipeline.plan.plan import Plan
from pipeline.plan.versions import package_versions
from pipeline.results.lock import lock_text
from pipeline.results.scores import Scores
from pipeline.store.store import Store
from pipeline.tasks.encoding.features import Features
from reports.analysis.checks import Check
from reports.fold_record import CellRecord
from reports.record import MetricRecord, Remarks, ScoredRecord
from reports.wording import for_terminal
from reports.work_record import (
    EncodedRecord,
    StageRecord,
    StepRecord,
    WorkerRecord,
    WorkRecord,
)


def scored_record(comparison: Comparison, scores: Scores, command: str) -> ScoredRecord:
    """What is known when all is scored; `command` gives the run again."""
    grid, dataset, folds = comparison.grid, comparison.dataset, comparison.folds
    unseen, versions = grid.split.unseen_classes, package_versions()
    return ScoredRecord(
        name=grid.name,
        created=time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        command=command,
        grid=lock_text(grid, versions, dataset.fingerprint),
        metric=grid.metric,
        score=METRICS[grid.metric],
        metrics=tuple(
            MetricRecord(
                name, metric.greater_is_better, metric.unit, grid.rope.get(name, metric.rope)
            )
            for name, metric in METRICS.items()
        ),
        seed=grid.seed,
        classes=dataset.classes,
        ids=dataset.ids,
        texts=dataset.texts,
        labels=dataset.labels,
        cells=tuple(map(cell_record, comparison.cells)),
        folds=scores.ordered(comparison.cells),
        split=describe(grid.split, dataset, folds),
        fingerprint=dataset.fingerprint,
        versions=versions,
        data=card(dataset),
        failures=tuple(scores.failures),
        dropped=dataset.dropped,
        groups=dataset.labels if unseen else dataset.groups,
        group_name="class" if unseen else dataset.group_name,
        unseen_classes=unseen,
        breakdown=dataset.breakdown,
        thumbnail=partial(thumbnail, dataset) if "image" in dataset.modalities else None,
    )


def cell_record(cell: Cell) -> CellRecord:
    """The cell as the report names it."""
    labels = cell.encoder_labels()
    candidates = {**cell.fusion.candidates}
    if cell.classifier:
        candidates |= cell.classifier.candidates
    for name in cell.by_default:
        del candidates[name]
    return CellRecord(
        name=cell.name,
        image=labels.get("image"),
        text=labels.get("text"),
        fusion=cell.fusion.label,
        classifier=cell.classifier.label if cell.classifier else None,
        parts=tuple(part.name for part in cell.parts),
        candidates=tuple(candidates.items()),
        recognised_by=cell.recognised_by(),
        together=tuple(cell.together().items()),
    )


def work_record(
    plan: Plan,
    outcomes: PlanOutcomes,
    on_inner_folds: Outcomes,
    comparison: Comparison,
    steps: Mapping[str, float],
) -> WorkRecord:
    """What a run did.

    Parameters
    ----------
    on_inner_folds : outcomes of what was fitted there for the choice among cells alone.
    steps : wall-clock seconds of each of the run's steps.
    """
    inner = _summed(("fit on inner folds", outcome) for outcome in on_inner_folds.values())
    store = comparison.store
    return WorkRecord(
        steps=step_records(steps),
        stages=(*_stage_records(plan, outcomes, store), *inner),
        encoded=_encoded_records(plan, store),
        workers=_worker_records(comparison.computed),
        machines=_machines(plan, store),
    )


def step_records(seconds: Mapping[str, float]) -> tuple[StepRecord, ...]:
    """The steps of a run with their seconds on the clock."""
    return tuple(starmap(StepRecord, seconds.items()))


def _stage_records(
    plan: Plan, outcomes: PlanOutcomes, store: Store
) -> tuple[StageRecord, ...]:
    """Work and reuse of each encoder, fusion and rule that learns."""
    encoded = _summed(
        (f"encode {features.component.label}", _encoding(features, outcomes.features, store))
        for features in plan.features.values()
    )
    fitted = _summed(
        (f"fit {unit.cell.fusion.label}", outcomes.units[unit.key]) for unit in plan.units
    )
    learned = _summed(
        (
            f"learn to combine: {combination.cell.fusion.label}",
            outcomes.combinations[combination.key],
        )
        for combination in plan.combinations
        if combination.key in outcomes.combinations
    )
    return (*encoded, *fitted, *learned)


def _worker_records(computed: Iterable[Done]) -> tuple[WorkerRecord, ...]:
    """What each worker computed, for engines that say where; by name."""
    by_worker: dict[str, list[float]] = {}
    for done in computed:
        if done.where:
            by_worker.setdefault(done.where, []).append(done.seconds)
    return tuple(
        WorkerRecord(name, len(seconds), sum(seconds))
        for name, seconds in sorted(by_worker.items())
    )


def _machines(plan: Plan, store: Store) -> tuple[str, ...]:
    """What the results and their features were computed on, the most frequent first.

    As the store knows it of the first fold: entries of earlier versions do not say.
    """
    keys: dict[str, None] = {}
    for unit in plan.units:
        if (unit.fold.repeat, unit.fold.fold) == (0, 0):
            keys |= dict.fromkeys([unit.key, *(forms[0].key for forms in unit.features.values())])
    manifests = filter(None, map(store.manifest_at, keys))
    machines = Counter(manifest.get("machine") for manifest in manifests)
    return tuple(machine for machine, _ in machines.most_common() if machine)


def _encoding(features: Features, outcomes: Outcomes, store: Store) -> Outcome | None:
    """What came of encoding features; None where nobody knows, as the store no longer has them."""
    if features.key in outcomes:
        return outcomes[features.key]
    seconds = features.encode_seconds(store)
    return None if seconds is None else Done(seconds, reused=True)


def _summed(outcomes: Iterable[tuple[str, Outcome | None]]) -> list[StageRecord]:
    by_name: dict[str, list[Done]] = {}
    for name, outcome in outcomes:
        if isinstance(outcome, Done):
            by_name.setdefault(name, []).append(outcome)
    return [
        StageRecord(
            name=name,
            seconds=sum(piece.seconds for piece in done if not piece.reused),
            computed=sum(not piece.reused for piece in done),
            reused=sum(piece.reused for piece in done),
            saved_seconds=sum(piece.seconds for piece in done if piece.reused),
        )
        for name, done in by_name.items()
    ]


def _encoded_records(plan: Plan, store: Store) -> tuple[EncodedRecord, ...]:
    """What the encoders met that count it: the means over the outer folds of those that learn."""
    outer: dict[str, Features] = {}
    for unit in plan.units:
        outer |= {forms[0].key: forms[0] for forms in unit.features.values()}
    by_label: dict[str, list[tuple[int, Mapping[str, int]]]] = {}
    for key, features in outer.items():
        manifest = store.manifest_at(key)
        counts = {} if manifest is None else manifest["facts"].get("counts")
        if counts:
            by_label.setdefault(features.component.label, []).append((features.count, counts))
    return tuple(
        EncodedRecord(
            label,
            max(count for count, _ in met),
            {noun: float(np.mean([counts[noun] for _, counts in met])) for noun in met[0][1]},
        )
        for label, met in by_label.items()
    )


def remarks_of(checks: Iterable[Check]) -> Remarks:
    """What the checks of data and method found."""
    checks = list(checks)
    others = [check for check in checks if not check.severe]
    return Remarks(
        tuple(for_terminal(check.sentence) for check in checks if check.severe),
        tuple(for_terminal(check.sentence) for check in others),
        tuple(for_terminal(check.gist or check.sentence) for check in others if check.bears),
    )
