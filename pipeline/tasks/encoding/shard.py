"""Frozen encoders, sample by sample: what no shard has is encoded into new ones."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from features.block import Block, BoolArray, Modality, joined
from pipeline.config.components import Component
from pipeline.data.dataset import Dataset, DistinctSamples
from pipeline.data.rows import Rows
from pipeline.data.samples import reading_order
from pipeline.engine.attempts import at_once_or_alone, failure
from pipeline.engine.task import Done, Outcome, Outcomes, Shown, first_hindrance
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.sharded_rows import block_at, index_entry, missing_shards
from pipeline.store.shards import LACKING, Shards, shard_ingredients
from pipeline.store.store import Store
from pipeline.tasks.encoding.features import Features
from pipeline.tasks.encoding.requests import check_encoder
from pipeline.tasks.encoding.samples import (
    EncoderSamples,
    SamplesReference,
    put_samples,
    samples_at,
)
from pipeline.tasks.procedures import versions_of

# Samples of a shard, which is what an interrupted encoding loses. Pictures and sequences take long
# and much room; vectors of texts do not, and every shard of them pads its batches.
SAMPLES, TEXTS = 512, 4096
SHORT = 8  # times smaller shards under a time limit, which may end the one that is being made


@dataclass(frozen=True, eq=False)
class ShardTask(Shown):
    """Some samples through a frozen encoder, into a shard of each form that lacks them.

    Parameters
    ----------
    forms : features that differ in their form only: they may come from one pass.
    samples : a reference to these samples alone.
    digests : of these.
    """

    stage: ClassVar[str] = "Encoding"
    counted: ClassVar[str] = "samples"
    memory: ClassVar[float] = 0.0  # not known: encoders take their samples in pieces
    needs: ClassVar[tuple[str, ...]] = ()
    together: ClassVar[None] = None
    all_cores: ClassVar[bool] = True

    forms: tuple[Features, ...]
    samples: SamplesReference
    digests: tuple[str, ...]

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """See Task."""
        return tuple(
            key_of(shard_ingredients(_maker(form), self.digests)) for form in self.forms
        )

    @property
    def label(self) -> str:
        """See Task."""
        return self.forms[0].component.label

    @property
    def doing(self) -> str:
        """See Task."""
        return self.forms[0].over(len(self.digests))

    @property
    def like(self) -> str:
        """See Task: the encoder, as its shards are found."""
        return f"shard: {key_of(_maker(self.forms[0]))}"

    @property
    def work(self) -> float:
        """See Task."""
        return float(len(self.digests))

    def compute(self, store: Store) -> dict[str, Outcome]:
        """See Task. Where one pass fails, each form is tried alone: others may succeed."""
        check_encoder(self.forms[0])
        samples = samples_at(self.samples, store)
        return at_once_or_alone(
            self.forms, lambda forms: self._encoded(forms, samples, store), self._key
        )

    def _key(self, form: Features) -> str:
        return self.keys[self.forms.index(form)]

    def _encoded(
        self, forms: Sequence[Features], samples: EncoderSamples, store: Store
    ) -> dict[str, Outcome]:
        """One pass for the forms whose shard is not there: another run may have put it."""
        with store.lock(key_of({"pass": self.keys})):
            lacking = [form for form in forms if store.at(self._key(form)) is None]
            begun = time.perf_counter()
            blocks = _one_pass(lacking, samples)
            seconds = time.perf_counter() - begun
            for form, block in blocks.items():
                shards_of(form, store).put(self.digests, block, seconds, form.work)
        return {
            self._key(form): Done(
                seconds if form in lacking[:1] else 0.0, reused=form not in lacking
            )
            for form in forms
        }


def _one_pass(forms: Sequence[Features], samples: EncoderSamples) -> dict[Features, Block]:
    """Blocks of all samples in some forms, from one pass of their encoder."""
    if not forms:
        return {}
    pieces = list(forms[0].encoder.pieces(samples, [form.output for form in forms]))
    return {form: joined([piece[form.output] for piece in pieces]) for form in forms}


def shards_of(features: Features, store: Store) -> Shards:
    """Where the features of single samples lie, of this data set and of others."""
    return Shards(store, _maker(features))


def _maker(features: Features) -> dict[str, Any]:
    return {"kind": "shard", "encoder": features.ingredients["encoder"], **versions_of("encode")}


def shard_tasks(
    features: Iterable[Features], dataset: Dataset, store: Store, *, short: bool = False
) -> list[ShardTask]:
    """Tasks for the samples of frozen features that no shard has; `short` ones for small shards."""
    passes: dict[tuple[Modality, Component], list[Features]] = {}
    for form in features:
        passes.setdefault((form.modality, form.component), []).append(form.without_rows())
    tasks: list[ShardTask] = []
    for (modality, _), forms in passes.items():
        modal = dataset.modalities[modality]
        samples = put_samples(dataset, modality, store)
        for lacking, positions in _alike(forms, modal, store):
            size = SAMPLES if modality == "image" or _has_sequences(lacking) else TEXTS
            size //= SHORT if short else 1
            in_order = _in_reading_order(positions, modal) if modality == "image" else positions
            for start in range(0, len(in_order), size):
                part = in_order[start : start + size]
                digests = tuple(modal.digests[position] for position in part)
                tasks.append(ShardTask(lacking, samples.take(part), digests))
    return tasks


def _in_reading_order(positions: Rows, modal: DistinctSamples) -> Rows:
    return positions[reading_order([modal.samples[position] for position in positions])]


def _has_sequences(forms: Iterable[Features]) -> bool:
    return any(form.output == form.encoder.forms.get("sequence", "") for form in forms)


def _alike(
    forms: Sequence[Features], modal: DistinctSamples, store: Store
) -> Iterator[tuple[tuple[Features, ...], Rows]]:
    """The forms that the same samples lack, and these samples' positions."""
    lacks = np.stack([lacking_samples(form, modal, store) for form in forms])
    patterns, pattern_of = np.unique(lacks, axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        if pattern.any():
            lacking = tuple(
                form for form, is_lacking in zip(forms, pattern, strict=True) if is_lacking
            )
            yield lacking, np.flatnonzero(pattern_of.ravel() == number)


def lacking_samples(features: Features, modal: DistinctSamples, store: Store) -> BoolArray:
    """Which of the distinct samples (m,) no shard has; none where the features need no shards."""
    stored = store.load(features.ingredients)
    if stored is not None and not missing_shards(store, stored):
        return np.zeros(len(modal.digests), dtype=bool)
    return np.asarray(shards_of(features, store).locate(modal.digests).shard == LACKING)


def assembled(
    features: Features, dataset: Dataset, store: Store, new: Outcomes, *, was_there: bool = False
) -> Outcome:
    """Frozen features of a data set, put together from shards; what came of it.

    Only where their rows lie is stored, not the features once more.

    Parameters
    ----------
    new : outcomes of the shards that were lacking.
    was_there : whether they were put together before: then new shards take the room of lost ones.
        Where they were not, whoever puts them together has computed them, of runs side by side.
    """
    hindrance = first_hindrance(new.values())
    if hindrance is not None:
        return hindrance
    try:
        entry = store.get(
            features.ingredients,
            lambda: _assembled(features, dataset.modalities[features.modality], store),
            usable=lambda stored: not missing_shards(store, stored),
        )
    except Exception as error:
        return failure(error)
    encoding = [outcome for outcome in new.values() if isinstance(outcome, Done)]
    seconds = entry.seconds + sum(outcome.seconds for outcome in encoding)
    mended = was_there and not all(outcome.reused for outcome in encoding)
    return Done(seconds, entry.reused and not mended)


def _assembled(features: Features, modal: DistinctSamples, store: Store) -> Entry:
    shards = shards_of(features, store)
    locations = shards.locate(modal.digests)
    if (locations.shard == LACKING).any():
        raise FileNotFoundError(
            f"features of {features.component.label} were removed from the store while they were "
            "needed; run again"
        )
    block = block_at(store, locations)
    counts = features.encoder.counts(modal.samples, block.values if block.is_sparse else None)
    facts = {
        "label": features.component.label,
        "counts": counts,
        "encode_seconds": shards.seconds(locations),
    }
    return index_entry(locations, block, facts)
