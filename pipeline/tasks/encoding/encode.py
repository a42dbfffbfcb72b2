"""Features into the store: frozen encoders once over all, learned ones per training set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy

from features.block import Block, Modality
from features.encoder import Encoder
from pipeline.data.dataset import Dataset
from pipeline.data.rows import Rows
from pipeline.engine.attempts import at_once_or_alone
from pipeline.engine.task import Done, Outcome, Shown
from pipeline.store.array_file import write_pieces
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.context import Context, context_at
from pipeline.tasks.encoding.features import Features
from pipeline.tasks.encoding.requests import check_encoder
from pipeline.tasks.encoding.samples import (
    EncoderSamples,
    SamplesReference,
    put_samples,
    samples_at,
)

PIECE = 4096  # samples whose learned stage is computed at once


@dataclass(frozen=True, eq=False)
class EncodeTask(Shown):
    """Features that differ in their form only: they may come from one pass over the same samples.

    A frozen encoder keeps all cores busy by itself; learned ones, over folds, run side by side.
    """

    stage: ClassVar[str] = "Features"
    memory: ClassVar[float] = 0.0  # not known: encoders take their samples in pieces
    together: ClassVar[None] = None

    forms: tuple[Features, ...]
    samples: SamplesReference

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """See Task."""
        return tuple(features.key for features in self.forms)

    @property
    def needs(self) -> tuple[str, ...]:
        """See Task: the frozen features that it learns from."""
        return tuple(form.stage.key for form in self.forms if form.stage is not None)

    @property
    def label(self) -> str:
        """See Task."""
        return self.forms[0].component.label

    @property
    def doing(self) -> str:
        """See Task."""
        return self.forms[0].over(self.forms[0].count)

    @property
    def like(self) -> str:
        """See Task."""
        return f"features: {self.label}"

    @property
    def work(self) -> float:
        """See Task."""
        return float(self.forms[0].count)

    @property
    def all_cores(self) -> bool:
        """See Task."""
        return self.forms[0].split is None

    def compute(self, store: Store) -> dict[str, Outcome]:
        """See Task. Where one pass fails, each form is tried alone: others may succeed."""
        check_encoder(self.forms[0])
        forms = [_with_rows(form, store) for form in self.forms]
        samples = samples_at(self.samples, store)
        return at_once_or_alone(
            forms, lambda part: _done(compute(part, samples, store)), lambda form: form.key
        )


def encode_tasks(features: Iterable[Features], dataset: Dataset, store: Store) -> list[EncodeTask]:
    """Tasks for features, frozen ones first; what they read of the data set is put in the store."""
    groups: dict[tuple[Any, ...], list[Features]] = {}
    for form in features:
        pass_over = form.modality, form.component, form.split, form.count
        groups.setdefault(pass_over, []).append(form)
    references: dict[Modality, SamplesReference] = {}
    tasks = []
    for (modality, *_), forms in groups.items():
        if modality not in references:
            references[modality] = put_samples(dataset, modality, store)
        travelling = tuple(form.without_rows() for form in forms)
        tasks.append(EncodeTask(travelling, references[modality]))
    return sorted(tasks, key=lambda task: not task.all_cores)


def _with_rows(features: Features, store: Store) -> Features:
    if features.split is None:
        return features
    return features.with_rows(context_at(store, features.split.context))


def _done(entries: Mapping[str, Entry]) -> dict[str, Outcome]:
    return {key: Done(entry.seconds, entry.reused) for key, entry in entries.items()}


def compute(
    forms: Sequence[Features], samples: EncoderSamples, store: Store
) -> dict[str, Entry]:
    """Entries, by key, of features that differ in their form only; encoded where they are missing.

    An encoder that gives several forms in one pass over the samples is asked for all that are
    missing at once.
    """
    missing = [form.output for form in forms if not store.has(form.ingredients)]
    written: dict[str | None, dict[str, Any]] = {}
    key = key_of({**forms[0].ingredients, "encoder": forms[0].component.label})

    def encode(form: Features, scratch: Path) -> Entry:
        if form.output not in written:
            others = [] if form.stage else [output for output in missing if output != form.output]
            outputs = [form.output, *others]
            pieces = _pieces(form, outputs, samples, store)
            written.update(write_pieces(pieces, form.count, scratch))
        return _entry(form, written.pop(form.output), samples)

    with store.lock(key), store.scratch(key) as scratch:  # one pass at a time
        return {
            form.key: store.get(form.ingredients, partial(encode, form, scratch)) for form in forms
        }


def _pieces(
    features: Features, outputs: Sequence[str | None], samples: EncoderSamples, store: Store
) -> Iterator[dict[str | None, Block]]:
    if features.stage is not None:
        return _staged_pieces(features, features.stage, store)
    return fitted_encoder(features, samples, store).pieces(samples, outputs)


def fitted_encoder(features: Features, samples: EncoderSamples, store: Store) -> Encoder:
    """The encoder of some features, fitted on its training samples where it learns from samples."""
    if features.split is not None:
        context = context_at(store, features.split.context)
        training = samples.take(_training_positions(features, context))
        if features.targets is None:
            features.encoder.fit(training)
        else:
            features.encoder.fit_supervised(training, features.targets)
    return features.encoder


def _training_positions(features: Features, context: Context) -> Rows:
    """Which distinct sample each training row has that has one."""
    positions = context.index[features.modality][features.train]
    return positions[positions >= 0]


def _staged_pieces(
    features: Features, stage: Features, store: Store
) -> Iterator[dict[str | None, Block]]:
    """What an encoder learns from the stored features of its frozen stage and makes of them."""
    block = stage.load(store, np.arange(features.count))
    if block is None or features.split is None:
        raise FileNotFoundError(
            f"features of {stage.component.label} were removed while they were needed; run again"
        )
    context = context_at(store, features.split.context)
    features.encoder.fit_features(
        block.take(_training_positions(features, context)), features.targets
    )
    # Only dense blocks come in several pieces.
    size = max(features.count, 1) if block.is_sparse else PIECE
    for start in range(0, max(features.count, 1), size):
        piece = block.take(np.arange(start, min(start + size, features.count)))
        yield {features.output: features.encoder.transform_features(piece)}


def _entry(features: Features, arrays: Mapping[str, Any], samples: EncoderSamples) -> Entry:
    values = arrays["values"] if scipy.sparse.issparse(arrays["values"]) else None
    return Entry(
        arrays,
        {
            "label": features.component.label,
            "class": features.work,
            "work": features.count,
            "counts": features.encoder.counts(samples, values),
        },
    )
