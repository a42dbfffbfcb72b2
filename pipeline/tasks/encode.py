"""Features from the store, or encoded and stored: frozen encoders once over all, learned ones per training set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from features.block import Block
from features.encoder import Encoder
from pipeline.data.dataset import Dataset, DistinctSamples
from pipeline.data.pictures import Pictures
from pipeline.data.rows import Rows
from pipeline.engine.attempts import Done, Failed, failure_of
from pipeline.engine.processes import side_by_side
from pipeline.engine.progress import Report
from pipeline.store.array_file import write_pieces
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.context import store_at
from pipeline.tasks.features import Features, present_rows

PIECE = 4096  # samples whose learned stage is computed at once


def encode_all(
    features: Sequence[Features], dataset: Dataset, store: Store, jobs: int, report: Report
) -> dict[str, Done | Failed]:
    """Put all features into the store; outcome by key.

    Frozen encoders run one after the other with all cores; learned ones, over folds, side by side.
    """
    outcomes: dict[str, Done | Failed] = {}
    groups = _by_encoder(features)
    for many in (many for many in groups if many[0].train is None):
        outcomes |= _encode(many, dataset.modalities[many[0].modality], store.root)
        report(f"encoded {many[0].component.label}", len(many))
    learned = [many for many in groups if many[0].train is not None]
    tasks = [(many, dataset.modalities[many[0].modality], store.root) for many in learned]
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

    failed = failure_of(work)
    # one form may fail (for want of memory, say) where others do not
    if failed is not None and len(many) > 1:
        return {
            key: outcome for one in many for key, outcome in _encode([one], modal, root).items()
        }
    return found if failed is None else {many[0].key: failed}


def compute(many: Sequence[Features], modal: DistinctSamples, store: Store) -> dict[str, Entry]:
    """Stored entries, by key, of features that differ in their form only; encoded now where they are not there.

    An encoder that gives several forms in one pass over the samples is asked for all that are
    missing at once.
    """
    stages = [one.stage for one in many if one.stage is not None]
    # learned, each for itself, from features that are computed together and once for all folds
    if stages:
        compute(stages, modal, store)
    missing = [one.output for one in many if not store.has(one.ingredients)]
    written: dict[str | None, dict[str, Any]] = {}
    key = key_of({**many[0].ingredients, "encoder": many[0].component.label})

    def encode(one: Features, scratch: Path) -> Entry:
        if one.output not in written:
            others = [] if one.stage else [output for output in missing if output != one.output]
            written.update(
                write_pieces(_pieces(one, [one.output, *others], modal, store), one.count, scratch)
            )
        return _entry(one, written.pop(one.output), modal)

    with store.lock(key), store.scratch(key) as scratch:  # one pass at a time
        return {one.key: store.get(one.ingredients, partial(encode, one, scratch)) for one in many}


def _pieces(
    one: Features, outputs: Sequence[str | None], modal: DistinctSamples, store: Store
) -> Iterator[dict[str | None, Block]]:
    if one.stage is not None:
        return _staged_pieces(one, one.stage, modal, store)
    return fitted_encoder(one, modal).pieces(_samples(one, modal), outputs)


def fitted_encoder(one: Features, modal: DistinctSamples) -> Encoder:
    """The encoder of some features, fitted on its training samples where it learns from samples."""
    if one.train is not None:
        training = _samples(one, modal, modal.index[present_rows(modal, one.train)])
        if one.targets is None:
            one.encoder.fit(training)
        else:
            one.encoder.fit_supervised(training, one.targets)
    return one.encoder


def _staged_pieces(
    one: Features, stage: Features, modal: DistinctSamples, store: Store
) -> Iterator[dict[str | None, Block]]:
    """What an encoder learns from the stored features of its frozen stage and makes of them."""
    features = stage.load(store, np.arange(one.count))
    if features is None or one.train is None:
        raise FileNotFoundError(
            f"features of {stage.component.label} were removed while they were needed; run again"
        )
    rows = modal.index[one.train]
    one.encoder.fit_features(features.take(rows[rows >= 0]), one.targets)
    # only dense blocks come in several pieces
    at_once = max(one.count, 1) if features.is_sparse else PIECE
    for start in range(0, max(one.count, 1), at_once):
        piece = features.take(np.arange(start, min(start + at_once, one.count)))
        yield {one.output: one.encoder.transform_features(piece)}


def _entry(one: Features, arrays: Mapping[str, Any], modal: DistinctSamples) -> Entry:
    values = arrays["values"] if sparse.issparse(arrays["values"]) else None
    return Entry(arrays, {"label": one.component.label, "class": one.work, "work": one.count,
                          "counts": one.encoder.counts(_samples(one, modal), values)})


def _samples(one: Features, modal: DistinctSamples, positions: Rows | None = None) -> Sequence[Any]:
    """The distinct samples, or those at some positions; pictures are read when they are asked for."""
    samples, digests = modal.samples, modal.digests
    if positions is not None:
        samples, digests = (
            [samples[place] for place in positions],
            tuple(digests[place] for place in positions),
        )
    return Pictures(samples, digests) if one.modality == "image" else samples
