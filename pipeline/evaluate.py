"""Cells x folds -> out-of-fold probabilities. Every finished piece is stored at once, so a run can be continued."""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.block import Block, Modality
from models.classifiers.temperature import fitted_temperature
from models.fusion import ClassTexts, Fit
from models.views import Views
from pipeline.dataset import Dataset, Described
from pipeline.encode import Features, compute, with_stages
from pipeline.folds import Parts
from pipeline.memory import Needs, free, memory_text, waves
from pipeline.metrics import METRICS, Metric
from pipeline.plan import Plan, Unit, describe
from pipeline.progress import Report, say
from pipeline.schedule import tasks_of
from pipeline.store import Entry, Store
from pipeline.workers import side_by_side
from reports.record import FailureRecord

Rows = NDArray[np.int64]
Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Failed:
    """What went wrong with a piece of work."""

    error: str
    traceback: str


@dataclass(frozen=True, eq=False)
class Done:
    """A piece of work that is in the store: what it cost, and whether it was there before."""

    seconds: float
    reused: bool


@dataclass(frozen=True, eq=False)
class Context:
    """What every fit needs of the data set, small enough to be sent to workers.

    Parameters
    ----------
    labels : (n,) codes; `classes` is their number K.
    index : for each modality, the distinct sample of each row.
    groups : (n,) codes of the groups that never straddle folds, where there are any.
    described : the classes' texts, where classes are held out.
    """

    labels: Rows
    classes: int
    index: Mapping[Modality, Rows]
    groups: Rows | None
    tuning_metric: str
    store: Path
    described: Described | None = None


def context_of(dataset: Dataset, tuning_metric: str, store: Store) -> Context:
    """The context of a data set."""
    index = {modality: modal.index for modality, modal in dataset.views.items()}
    return Context(dataset.labels, len(dataset.classes), index, dataset.groups, tuning_metric, store.root,
                   dataset.described)


def encode_all(
    features: Sequence[Features], dataset: Dataset, store: Store, jobs: int, report: Report
) -> dict[str, Done | Failed]:
    """Put all features into the store; outcome by key.

    Frozen encoders run one after the other with all cores; learned ones, over folds, side by side.
    """
    outcomes: dict[str, Done | Failed] = {}
    groups = _by_encoder(features)
    for many in (many for many in groups if many[0].train is None):
        outcomes |= _encode(many, dataset.views[many[0].modality], store.root)
        report(f"encoded {many[0].component.label}", len(many))
    learned = [many for many in groups if many[0].train is not None]
    tasks = [(many, dataset.views[many[0].modality], store.root) for many in learned]
    for position, found in side_by_side(_encode, tasks, jobs):
        outcomes |= found
        report(f"encoded {learned[position][0].component.label}", len(found))
    return outcomes


def _by_encoder(features: Sequence[Features]) -> list[list[Features]]:
    """Features that differ in their form only, together: they may come from one pass over the same samples."""
    groups: dict[tuple[Any, ...], list[Features]] = {}
    for one in features:
        rows = None if one.train is None else one.train.tobytes()
        groups.setdefault((one.modality, one.component, rows, one.count), []).append(one)
    return list(groups.values())


def _encode(many: Sequence[Features], modal: Any, root: Path) -> dict[str, Done | Failed]:
    found: dict[str, Done | Failed] = {}

    def work() -> None:
        for key, entry in compute(many, modal, store_at(root)).items():
            found[key] = Done(entry.seconds, entry.reused)

    failed = _failure(work)
    if failed is not None and len(many) > 1:  # one form may fail (for want of memory, say) where others do not
        return {key: outcome for one in many for key, outcome in _encode([one], modal, root).items()}
    return found if failed is None else {many[0].key: failed}


def fit_all(units: Sequence[Unit], context: Context, jobs: int, report: Report) -> dict[int, Done | Failed]:
    """Put all results into the store; outcome by position in `units`.

    A task holds units that share what they prepare, so that it is prepared in one process; each unit is stored
    as soon as it is done. Work for which memory is short goes last, with fewer processes.
    """
    if not units:
        return {}
    outcomes = {}
    needs, available = Needs(store_at(context.store), context.classes), free()
    tasks = tasks_of(units, jobs, needs.work)
    sizes = [max(needs.of(units[position]) for position in task) for task in tasks]
    for line in memory_text(units, needs, available, jobs)[1:]:
        say(f"memory: {line}")
    for at_once, wave in waves(sizes, available, jobs).items():
        work = [([units[position] for position in tasks[number]], context) for number in wave]
        for place, found in side_by_side(_fit_each, work, at_once):
            for position, outcome in zip(tasks[wave[place]], found, strict=True):
                outcomes[position] = outcome
                report(units[position].cell.name)
    return outcomes


@cache
def store_at(root: Path) -> Store:
    """The store of a folder; one per process, so that a file is verified once and not for every fit."""
    return Store(root)


def result_of(unit: Unit, store: Store) -> Entry:
    """A unit's stored result. Raises FileNotFoundError where it is no longer there."""
    entry = store.load(unit.ingredients)
    if entry is None:
        raise FileNotFoundError(f"the result of {unit.cell.name} is missing from the store or damaged; run again")
    return entry


def _failure(work: Callable[[], None]) -> Failed | None:
    """Do a piece of work; a failing component fails its own cells only: its error is kept, nothing is stored."""
    try:
        work()
    except Exception as error:
        return Failed(describe(error), traceback.format_exc())
    return None


def attempt(work: Callable[[], Entry]) -> Done | Failed:
    """What came of a piece of work that ends in the store; its failure is kept."""
    done: list[Entry] = []
    failed = _failure(lambda: done.append(work()))
    return failed or Done(done[0].seconds, done[0].reused)


def _fit_each(units: Sequence[Unit], context: Context) -> list[Done | Failed]:
    return [_fit(unit, context) for unit in units]


def _fit(unit: Unit, context: Context) -> Done | Failed:
    store = store_at(context.store)
    unit.estimator.warm_up()
    return attempt(lambda: store.get(unit.ingredients, lambda: _result(unit, context, store)))


def _result(unit: Unit, context: Context, store: Store) -> Entry:
    """Choose a setting on the inner folds, fit it on the outer training rows, predict the test rows."""
    blocks = _all_loaded(unit, context, store)
    begun = time.perf_counter()
    chosen, scores, inner = _choose(unit, context, blocks)
    outer = _fit_of(unit, 0, blocks, context)
    model = unit.estimator.with_setting(chosen).learn(outer)
    fitted = time.perf_counter()
    probabilities = averaged(aligned(model.predict_proba(outer.test), model.classes_, context.classes),
                             len(unit.fold.test))
    predicted = time.perf_counter()
    kept = {"inner": finite(unit.cell.name, inner).astype(np.float32)} if unit.keeps_inner else {}
    return Entry({"probabilities": finite(unit.cell.name, probabilities), **kept}, {
        "label": unit.cell.name, "parameters": dict(chosen), "inner": scores,
        "class": type(unit.estimator).__name__, "work": unit.fitted_rows,
        "fit_seconds": fitted - begun, "predict_seconds": predicted - fitted, "model_bytes": _size(model),
        "training": model.course(), "temperature": _temperature(inner, context.labels[unit.fold.train]),
    })


def _temperature(inner: Probabilities, labels: Rows) -> float | None:
    """What calibrates the chosen setting's probabilities, learned from its predictions on the inner folds."""
    return fitted_temperature(inner, labels) if len(inner) else None


class _Counter:
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.bytes += size
        return size


def _size(model: Any) -> int | None:
    """Bytes of a fitted model as it would be sent or kept; None for one that cannot be."""
    counter = _Counter()
    try:
        pickle.dump(model, counter, protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError):
        return None
    return counter.bytes


def _all_loaded(unit: Unit, context: Context, store: Store) -> dict[Modality, list[Block]]:
    """The unit's blocks; features that several folds use are loaded once, so that models see they are the same."""
    loaded: dict[str, Block] = {}
    for modality, many in unit.features.items():
        for one in many:
            if one.key not in loaded:
                loaded[one.key] = _loaded(one, context.index[modality], store)
    return {modality: [loaded[one.key] for one in many] for modality, many in unit.features.items()}


def _loaded(features: Features, index: Rows, store: Store) -> Block:
    block = features.load(store, index)
    if block is None:
        raise FileNotFoundError(f"features of {features.component.label} are missing from the store or damaged; "
                                "run again to compute them")
    return block


def _fit_of(unit: Unit, position: int, blocks: Mapping[Modality, Sequence[Block]], context: Context) -> Fit:
    """The outer split (position 0) or an inner one, with the features that were learned from its training rows."""
    views = _views({modality: many[position] for modality, many in blocks.items()}, context)
    return fit_on(views, unit.fold.splits()[position], context)


def fit_on(views: Views, split: Parts, context: Context) -> Fit:
    """What is learned from, and asked about, in one split of the rows.

    Training rows come with their augmented views, test rows only where predictions are averaged over them.
    """
    train, test, unlabelled = split
    return Fit(*training(views, train, context.labels), views.take(test).for_prediction(),
               views.take(unlabelled) if len(unlabelled) else None,
               _described(views, context.labels[np.concatenate([train, test])], context))


def _described(views: Views, labels: Rows, context: Context) -> ClassTexts | None:
    """The texts of these labels' classes, and of no others: inner folds know nothing of the classes held out."""
    if context.described is None:
        return None
    texts = None if views.text is None else views.text.at(context.described.positions)
    return ClassTexts(context.described.classes, texts).of(labels)


def training(views: Views, rows: Rows, labels: Rows) -> tuple[Views, Rows]:
    """Training samples and their labels: the rows and their augmented views."""
    expanded = views.take(rows).with_views()
    return expanded, np.tile(labels[rows], len(expanded) // max(len(rows), 1))


def _views(blocks: Mapping[Modality, Block], context: Context) -> Views:
    """Views of these blocks; a model that needs none gets one column of zeros."""
    if not blocks:
        nothing = Block(np.zeros((1, 1), dtype=np.float32), np.zeros(len(context.labels), dtype=np.int64))
        return Views(image=nothing, groups=context.groups)
    return Views(blocks.get("image"), blocks.get("text"), context.groups)


def outer_views(unit: Unit, context: Context, store: Store) -> Views:
    """Features of all rows, as learned from the outer training rows of the unit's fold."""
    return _views({modality: _loaded(many[0], context.index[modality], store)
                   for modality, many in unit.features.items()}, context)


def _choose(
    unit: Unit, context: Context, blocks: Mapping[Modality, Sequence[Block]]
) -> tuple[Mapping[str, Any], list[float | None], Probabilities]:
    """The setting with the best mean score over the inner folds (the first of equals), and all mean scores.

    Also the chosen setting's predictions for the training rows (n_train, K), each by the fold that left it out;
    (0, K) without inner folds.
    """
    inner = unit.fold.inner
    if not inner:
        return unit.settings[0], [], np.zeros((0, context.classes))
    fits = [_fit_of(unit, position + 1, blocks, context) for position in range(len(inner))]
    predictions = [[averaged(aligned(one, unit.estimator.classes_of(fit), context.classes), len(test)) for one in many]
                   for (_, test), fit, many in zip(
                       inner, fits, unit.estimator.predict_many(fits, unit.settings), strict=True)]
    best, means = _best(METRICS[context.tuning_metric], [context.labels[test] for _, test in inner], predictions)
    kept = np.zeros((len(unit.fold.train), context.classes))
    for (_, test), many in zip(inner, predictions, strict=True):
        kept[np.searchsorted(unit.fold.train, test)] = many[best]
    return unit.settings[best], means if len(unit.settings) > 1 else [], kept


def _best(
    metric: Metric, labels: Sequence[Rows], predictions: Sequence[Sequence[Probabilities]]
) -> tuple[int, list[float | None]]:
    """Position of the setting with the best mean score over the inner folds, and all mean scores."""
    scores = np.array([[metric(y, one) for one in many] for y, many in zip(labels, predictions, strict=True)])
    # An inner fold on which the metric is not defined counts for no setting; nor does a setting that fails it.
    defined = scores[~np.isnan(scores).all(axis=1)]
    means = defined.mean(axis=0) if len(defined) else np.zeros(scores.shape[1])
    worst = -np.inf if metric.greater_is_better else np.inf
    means = np.where(np.isfinite(means), means, worst)
    best = int(np.argmax(means if metric.greater_is_better else -means))
    return best, [float(score) if np.isfinite(score) else None for score in means]


def finite(name: str, probabilities: Probabilities) -> Probabilities:
    """The probabilities themselves; raises FloatingPointError where they are not all numbers."""
    if not np.all(np.isfinite(probabilities)):
        raise FloatingPointError(f"{name} predicts probabilities that are not finite")
    return probabilities


def aligned(probabilities: Probabilities, columns: Rows, classes: int) -> Probabilities:
    """Probabilities (n, K) over all classes, rows summing to 1; those that are no `columns` of a model get 0."""
    complete = np.zeros((len(probabilities), classes))
    complete[:, columns] = probabilities
    return np.asarray(complete / complete.sum(axis=1, keepdims=True))


def averaged(probabilities: Probabilities, rows: int) -> Probabilities:
    """Mean probabilities (rows, K) over the augmented views that were predicted: (rows (1 + k), K), or no more."""
    times = len(probabilities) // max(rows, 1)
    return probabilities if times < 2 else probabilities.reshape(times, rows, -1).mean(axis=0)


def run_plan(
    plan: Plan, dataset: Dataset, context: Context, store: Store, jobs: int, progress: Any
) -> tuple[dict[str, Done | Failed], dict[int, Done | Failed]]:
    """Compute what the store lacks: first the features, then the fits.

    Returns
    -------
    features, units : outcome of each, by key and by position in plan.units.
    """
    known = {position: Done(entry.seconds, reused=True) for position, unit in enumerate(plan.units)
             if (entry := store.load(unit.ingredients)) is not None}
    missing = [position for position in range(len(plan.units)) if position not in known]
    wanted = with_stages(one for position in missing
                         for many in plan.units[position].features.values() for one in many)
    with progress("Features", len(wanted)) as report:
        features = encode_all(list(wanted.values()), dataset, store, jobs, report)
    failed = {key: outcome for key, outcome in features.items() if isinstance(outcome, Failed)}
    outcomes: dict[int, Done | Failed] = dict(known)
    for position in missing:
        for one in _first_failed(plan.units[position], failed):
            outcomes[position] = replace(failed[one.key], error=f"{one.component.label}: {failed[one.key].error}")
    left = [position for position in missing if position not in outcomes]
    with progress("Fits", len(left)) as report:
        fitted = fit_all([plan.units[position] for position in left], context, jobs, report)
    outcomes |= {left[position]: outcome for position, outcome in fitted.items()}
    return features, outcomes


def _first_failed(unit: Unit, failed: Mapping[str, Failed]) -> list[Features]:
    return [one for many in unit.features.values() for one in many if one.key in failed][:1]


def failures(plan: Plan, outcomes: Mapping[int, Done | Failed]) -> list[FailureRecord]:
    """Every cell and fold that failed."""
    return [*plan.failures, *(
        FailureRecord(unit.cell.name, unit.fold.repeat, unit.fold.fold, outcome.error, outcome.traceback)
        for position, unit in enumerate(plan.units)
        if isinstance(outcome := outcomes[position], Failed))]
