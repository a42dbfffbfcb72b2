"""The samples that encoders are given: texts from the store, pictures from where they lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from features.block import Modality
from pipeline.data.dataset import Dataset
from pipeline.data.pictures import Pictures
from pipeline.data.rows import Rows
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.packed_texts import PackedTexts, packed
from pipeline.store.store import Store
from pipeline.tasks.encoding.requests import samples_digest


@dataclass(frozen=True)
class Texts:
    """Texts as they travel.

    Parameters
    ----------
    key : of the entry of the store that holds them, and perhaps others.
    positions : of these among those; None for all.
    """

    key: str
    positions: tuple[int, ...] | None = None

    def take(self, positions: Rows) -> Texts:
        """The texts at some positions."""
        if self.positions is None:
            return replace(self, positions=tuple(positions.tolist()))
        return replace(self, positions=tuple(self.positions[position] for position in positions))


# The distinct samples of a modality, as they travel: pictures as the source's own handles, which
# are read one by one when they are asked for.
SamplesReference: TypeAlias = Pictures | Texts
EncoderSamples: TypeAlias = Pictures | PackedTexts  # what an encoder is given


def put_samples(dataset: Dataset, modality: Modality, store: Store) -> SamplesReference:
    """A reference to the distinct samples of a modality, for tasks to read them."""
    modal = dataset.modalities[modality]
    if modality == "image":
        return Pictures(modal.samples, modal.digests)
    ingredients = {"kind": "texts", "samples": samples_digest(modal.digests)}
    samples = len(modal.samples)
    label = f"{samples:,} {'text' if samples == 1 else 'texts'}"
    store.get(ingredients, lambda: Entry(packed(modal.samples), {"label": label}))
    return Texts(key_of(ingredients))


def samples_at(reference: SamplesReference, store: Store) -> EncoderSamples:
    """The distinct samples of a reference, each read when it is asked for."""
    if isinstance(reference, Pictures):
        return reference
    texts = _texts(reference.key, store)
    if reference.positions is None:
        return texts
    return texts.take(np.array(reference.positions, dtype=np.int64))


@lru_cache(maxsize=2)
def _texts(key: str, store: Store) -> PackedTexts:
    entry = store.at(key)
    if entry is None:
        raise FileNotFoundError(
            "the texts of this run were removed from the store while they were needed; run again"
        )
    return PackedTexts(entry.arrays["bytes"], entry.arrays["ends"])
