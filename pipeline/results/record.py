"""The record of a run, from its parts."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from pipeline.config.cells import Cell
from pipeline.config.grid import Grid
from pipeline.data.card import card
from pipeline.data.dataset import Dataset
from pipeline.data.thumbnails import thumbnail
from pipeline.engine.attempts import Done, Failed
from pipeline.folds import wording
from pipeline.folds.fold import Fold
from pipeline.metrics import METRICS
from pipeline.plan.plan import Plan
from pipeline.results.lock import lock_text
from pipeline.results.scores import Outcome, manifest_of
from pipeline.store.store import DEFAULT_STORE, Store
from pipeline.tasks.combination import Combination
from pipeline.tasks.features import Features
from reports.analysis.checks import Check
from reports.record import CellRecord, EncodedRecord, MetricRecord, RunRecord, StageRecord

PACKAGES = ("modalgrid", "numpy", "scipy", "scikit-learn", "torch", "torchvision", "timm",
            "sentence-transformers", "gensim")


def cell_record(cell: Cell) -> CellRecord:
    """The cell as the report names it."""
    return CellRecord(
        name=cell.name,
        image=cell.encoder_labels().get("image"),
        text=cell.encoder_labels().get("text"),
        fusion=cell.fusion.label,
        classifier=cell.classifier.label if cell.classifier else None,
        parts=tuple(part.name for part in cell.parts),
        candidates=tuple(
            {
                **cell.fusion.candidates,
                **(cell.classifier.candidates if cell.classifier else {}),
            }.items()
        ),
        recognised_by=cell.recognised_by(),
    )


def stage_records(
    plan: Plan, features: Mapping[str, Done | Failed], outcomes: Mapping[int, Done | Failed],
    combined: Sequence[tuple[Combination, Done | Failed]], store: Store,
) -> tuple[StageRecord, ...]:
    """Work and reuse of each encoder, fusion and rule that learns."""
    encoded = _encoder_stages(plan.features, features, store)
    fitted = _summed((f"fit {unit.cell.fusion.label}", outcomes[position])
                     for position, unit in enumerate(plan.units))
    learned = _summed(
        (f"learn to combine: {one.cell.fusion.label}", outcome) for one, outcome in combined
    )
    return (*encoded, *fitted, *learned)


def encoded_records(plan: Plan, store: Store) -> tuple[EncodedRecord, ...]:
    """What the encoders met that count it: the means over the outer folds of those that learn."""
    found: dict[str, dict[str, tuple[int, Mapping[str, int]]]] = defaultdict(dict)
    for one in {
        many[0].key: many[0] for unit in plan.units for many in unit.features.values()
    }.values():
        manifest = manifest_of(store, one.key)
        if manifest is not None and manifest["facts"].get("counts"):
            found[one.component.label][one.key] = one.count, manifest["facts"]["counts"]
    return tuple(EncodedRecord(label, max(count for count, _ in each.values()), {
        noun: float(np.mean([counts[noun] for _, counts in each.values()]))
        for noun in next(iter(each.values()))[1]}) for label, each in found.items())


def _encoder_stages(
    features: Mapping[str, Features], outcomes: Mapping[str, Done | Failed], store: Store
) -> list[StageRecord]:
    def outcome(one: Features) -> Done | Failed | None:
        if one.key in outcomes:
            return outcomes[one.key]
        seconds = store.seconds(one.ingredients)
        return None if seconds is None else Done(seconds, reused=True)

    return _summed((f"encode {one.component.label}", outcome(one)) for one in features.values())


def _summed(pairs: Iterable[tuple[str, Done | Failed | None]]) -> list[StageRecord]:
    by_name: dict[str, list[Done]] = defaultdict(list)
    for name, outcome in pairs:
        if isinstance(outcome, Done):
            by_name[name].append(outcome)
    return [StageRecord(
        name=name, seconds=sum(one.seconds for one in done if not one.reused),
        computed=sum(not one.reused for one in done), reused=sum(one.reused for one in done),
        saved_seconds=sum(one.seconds for one in done if one.reused),
    ) for name, done in by_name.items()]


def record_of(
    grid: Grid,
    options: argparse.Namespace,
    dataset: Dataset,
    folds: Sequence[Fold],
    cells: Sequence[Cell],
    found: Outcome,
) -> RunRecord:
    """What is known when everything is scored; the time of the run's steps is added when they are all done."""
    unseen = grid.split.unseen_classes
    ordered = [found.records[cell, fold.repeat, fold.fold] for cell in cells for fold in folds
               if (cell, fold.repeat, fold.fold) in found.records]
    return RunRecord(
        name=grid.name,
        created=time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        command=_command(options),
        grid=lock_text(grid, package_versions(), dataset.fingerprint),
        metric=grid.metric,
        seed=grid.seed,
        classes=dataset.classes,
        ids=dataset.ids,
        texts=dataset.texts,
        metrics=tuple(
            MetricRecord(name, metric.greater_is_better, metric.unit)
            for name, metric in METRICS.items()
        ),
        labels=dataset.labels,
        cells=tuple(cell_record(cell) for cell in cells),
        folds=tuple(ordered),
        steps=(),
        stages=(),
        split=wording.describe(grid.split, dataset, folds),
        fingerprint=dataset.fingerprint,
        versions=package_versions(),
        data=card(dataset),
        failures=tuple(found.failures),
        warnings=(*dataset.notes, *wording.remarks(dataset, folds, unseen)),
        dropped=dataset.dropped,
        groups=dataset.labels if unseen else dataset.groups,
        group_name="class" if unseen else dataset.group_name,
        unseen_classes=unseen,
        thumbnail=partial(thumbnail, dataset),
    )


def checked(record: RunRecord, found: Sequence[Check]) -> RunRecord:
    """The record with what the method checks found."""
    return replace(
        record,
        alarms=tuple(check.sentence for check in found if check.severe),
        warnings=(*record.warnings, *(check.sentence for check in found if not check.severe)),
    )


def _command(options: argparse.Namespace) -> str:
    """The command that gives this run again."""
    places = [f"--{name} {shlex.quote(str(value))}" for name, value, default in (
        ("out", options.out, None), ("store", options.store, DEFAULT_STORE)) if value != default]
    return " ".join(["python -m pipeline.run", shlex.quote(str(options.grid)), *places])


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide results."""
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
