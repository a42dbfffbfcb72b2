"""What --plan prints first: rows, what speaks against them, time, what there is to compute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from models.course import TrainsNetwork
from models.cross_fitted import CrossFitted
from pipeline.data.left_out import counted_reasons
from pipeline.engine.limit import TimeLimit
from pipeline.plan.checks import said
from pipeline.plan.comparison import Comparison
from pipeline.plan.needs import Needs, memory_text
from pipeline.plan.plan import Plan, features_of
from pipeline.plan.waves import Stages
from pipeline.store.store import Store
from pipeline.tasks.encoding.features import Features
from pipeline.tasks.encoding.shard import lacking_samples
from pipeline.tasks.unit import Unit
from reports.analysis.checks import Check
from reports.units import rough_duration
from reports.wording import count, first_lines, for_terminal, quoted

# Seconds per distinct sample of an encoder, and per fitted model and training row, where the store
# has no figure of its own yet: rough values of a small machine (two cores, no GPU).
GUESS = {"image": 0.03, "text": 0.003, "fit": 0.0005}


def plan_text(
    plan: Plan, comparison: Comparison, checked: Sequence[Check], limit: TimeLimit | None = None
) -> str:
    """What there is to do, and what speaks against it; long lists in numbers.

    Parameters
    ----------
    checked : what the rows and folds show.
    """
    store, jobs = comparison.store, comparison.engine.slots
    missing = [unit for unit in plan.units if not store.has(unit.ingredients)]
    to_encode = {
        features: samples
        for features in features_of(missing).values()
        if (samples := _samples_to_encode(features, comparison))
    }
    seconds, known = _estimate(missing, to_encode, store, jobs)
    guess = " (a rough guess: this store has no earlier run to learn from)"
    lines = [
        *_row_lines(comparison),
        *map(said, checked),
        f"time:     about {rough_duration(seconds)} with {count(jobs, 'process', 'processes')}"
        + ("" if known or not missing else guess),
        *_limit_lines(plan, comparison, limit),
        *_work_lines(plan, missing, to_encode),
        *_memory_lines(missing, comparison),
        *_training_lines(missing),
        *_inner_lines(plan, comparison),
        *_curve_lines(comparison.grid.learning_curve),
        *(f"cannot run: {failure.cell}: {failure.error}" for failure in plan.failures),
        f"compared: {count(len(comparison.cells), 'cell')}",
        *(f"          {name}" for name in _cell_names(comparison)),
    ]
    return "\n".join(lines)


def _work_lines(
    plan: Plan, missing: Sequence[Unit], to_encode: Mapping[Features, int]
) -> list[str]:
    """Results and features: how many there are, and how many of them are to be computed."""
    computed = len(plan.units) - len(missing)
    arrays, encoded = count(len(plan.features), "array"), len(plan.features) - len(to_encode)
    fits = count(sum(unit.fits for unit in missing), "fit")
    return [
        f"results:  {len(plan.units):,}, of a cell on a fold each: {computed:,} in the store, "
        f"{len(missing):,} to compute with {fits}",
        f"features: {arrays}, {encoded:,} of them not needed or in the store, "
        f"{len(to_encode):,} to encode{_some_samples(to_encode)}",
    ]


def _cell_names(comparison: Comparison) -> list[str]:
    return first_lines([cell.name for cell in comparison.cells], what="cells")


def _row_lines(comparison: Comparison) -> list[str]:
    """How many rows there are, of which classes, and how many are left out for which reason."""
    dataset, folds = comparison.dataset, count(len(comparison.folds), "fold")
    if not dataset.classes:
        lines = [f"rows:     {count(len(dataset), 'pair')}, {folds}"]
    else:
        sizes = dataset.class_sizes
        small, large = dataset.classes[sizes.argmin()], dataset.classes[sizes.argmax()]
        rows = (
            count(int(sizes.max()), "row") if sizes.min() == sizes.max()
            else f"{sizes.min():,} ({quoted(small)}) to {sizes.max():,} rows ({quoted(large)})"
        )
        classes = count(len(dataset.classes), "class", "classes")
        lines = [f"rows:     {count(len(dataset), 'row')}, {classes} of {rows}, {folds}"]
        unlabelled = int((dataset.labels < 0).sum())
        if unlabelled:
            lines.append(f"          {count(unlabelled, 'row')} of these without a label")
    if dataset.left_out:
        lines.append(f"left out: {count(len(dataset.left_out), 'row')}")
        lines += [
            f"          {for_terminal(line)}"
            for line in first_lines(counted_reasons(dataset.left_out), what="reasons")
        ]
    return lines


def _samples_to_encode(features: Features, comparison: Comparison) -> int:
    """How many samples of some features are not encoded yet."""
    if features.by_sample:
        modal = comparison.dataset.modalities[features.modality]
        return int(lacking_samples(features, modal, comparison.store).sum())
    return 0 if comparison.store.has(features.ingredients) else features.count


def _some_samples(to_encode: Mapping[Features, int]) -> str:
    """What is new, where the store has some samples of what is kept by sample."""
    new = {
        f"{samples:,} of {count(features.count, 'sample')} of {features.component.label}": None
        for features, samples in to_encode.items()
        if samples < features.count
    }
    return f" (new: {', '.join(new)})" if new else ""


def _limit_lines(
    plan: Plan, comparison: Comparison, limit: TimeLimit | None
) -> list[str]:
    """How far the work is expected to come before nothing more begins."""
    if limit is None:
        return []
    stages, store = Stages(plan, comparison.cells), comparison.store
    waves, encoded = stages.waves(), set[str]()
    seconds, last, is_known = 0.0, "nothing whole", True
    for wave in waves:
        missing = [unit for unit in wave.units if not store.has(unit.ingredients)]
        new = {key: form for key, form in features_of(missing).items() if key not in encoded}
        to_encode = {form: _samples_to_encode(form, comparison) for form in new.values()}
        more, known = _estimate(missing, to_encode, store, comparison.engine.slots)
        seconds, is_known = seconds + more, is_known and (known or not missing)
        if seconds > limit.for_work:
            guess = "" if is_known else ", by a rough guess"
            return [
                f"limit:    {limit.text}, which leaves {rough_duration(limit.for_work)} for work: "
                f"expected to reach {last}, and not {wave.name}{guess}"
            ]
        encoded |= new.keys()
        last = wave.name
    return [f"limit:    {limit.text}: expected to suffice, but for what the results decide"]


def _memory_lines(missing: Sequence[Unit], comparison: Comparison) -> list[str]:
    needs = Needs(comparison.store, len(comparison.dataset.classes))
    lines = memory_text(missing, needs, comparison.engine)
    return [
        f"{'memory:   ' if number == 0 else '          '}{line}"
        for number, line in enumerate(lines)
    ]


def _training_lines(missing: Sequence[Unit]) -> list[str]:
    training = [unit for unit in missing if _trained(unit)]
    if not training:
        return []
    return [
        f"training: {sum(unit.fits for unit in training)} of these fits train encoders end to end, "
        "with up to as many passes over their training rows as they have epochs: use a GPU, or few "
        "rows"
    ]


def _inner_lines(plan: Plan, comparison: Comparison) -> list[str]:
    """Fits on inner folds that only a choice among cells needs."""
    without = [unit for unit in plan.units if not unit.fold.inner and unit.features]
    fitted_anew = [unit for unit in without if not isinstance(unit.estimator, CrossFitted)]
    fits = len(fitted_anew) * comparison.grid.split.inner
    if not fits:
        return []
    return [
        f"choice:   then up to {count(fits, 'fit')} on inner folds, of cells with nothing to tune "
        "that may be the best; which ones, the results decide: not in these numbers"
    ]


def _curve_lines(shares: Sequence[float]) -> list[str]:
    fewer = [f"{share:.4g}" for share in shares if share < 1]
    if not fewer:
        return []
    return [
        f"curve:    then the best cells once more, with {', '.join(fewer)} of the labels; which "
        "cells, and so how many fits more, the results decide: not in these numbers"
    ]


def _estimate(
    units: Sequence[Unit], features: Mapping[Features, int], store: Store, jobs: int
) -> tuple[float, bool]:
    """Seconds, and whether the store's own history was there to learn from."""
    rates = _history(store)
    encode = sum(
        rates.get(form.work, GUESS[form.modality]) * samples / (jobs if form.split else 1)
        for form, samples in features.items()
    )
    fit = sum(
        rates.get(type(unit.estimator).__name__, _guessed_fit(unit)) * unit.fitted_rows
        for unit in units
    )
    return encode + fit / jobs, bool(rates)


def _guessed_fit(unit: Unit) -> float:
    """Seconds for each training row; an encoder that is trained takes some passes forward and back.

    Three times as long as to encode it, and a third of the epochs before it stops: as many as it
    has epochs.
    """
    epochs = unit.estimator.epochs if isinstance(unit.estimator, TrainsNetwork) else 0
    return GUESS["fit"] + epochs * sum(GUESS[form.modality] for form in _trained(unit))


def _trained(unit: Unit) -> list[Features]:
    """The encoders that a unit trains itself."""
    outer = [forms[0] for forms in unit.features.values()]
    return [form for form in outer if form.encoder.gives_inputs]


def _history(store: Store) -> dict[str, float]:
    """Mean seconds per unit of work of each class, from what the store's entries cost."""
    seconds: dict[str, float] = defaultdict(float)
    work: dict[str, float] = defaultdict(float)
    for manifest in store.manifests_at_hand():
        facts = manifest["facts"]
        name = facts.get("class")
        if isinstance(name, str) and facts.get("work") is not None:
            seconds[name] += facts.get("encode_seconds", manifest["seconds"])
            work[name] += facts["work"]
    return {name: seconds[name] / work[name] for name in seconds if work[name]}
