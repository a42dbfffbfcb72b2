"""The samples that encoders are given: texts from the store, pictures from where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from features.block import Modality
from pipeline.data.dataset import Dataset, text_digest
from pipeline.data.pictures import Pictures
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from pipeline.tasks.requests import samples_digest

# The distinct samples of a modality, as they travel: pictures as the source's own handles, which
# are read one by one when they are asked for; texts as a key of the store.
SamplesReference: TypeAlias = Pictures | str
ENCODING = "utf-8", "surrogatepass"


def put_samples(dataset: Dataset, modality: Modality, store: Store) -> SamplesReference:
    """A reference to the distinct samples of a modality, for tasks to read them."""
    modal = dataset.modalities[modality]
    if modality == "image":
        return Pictures(modal.samples, modal.digests)
    ingredients = {"kind": "texts", "samples": samples_digest(modal.digests)}
    store.get(ingredients, lambda: _packed(modal.samples))
    return key_of(ingredients)


def samples_at(reference: SamplesReference, store: Store) -> Sequence[bytes] | Sequence[str]:
    """The distinct samples of a reference."""
    return reference if isinstance(reference, Pictures) else _texts(reference, store)


def digests_of(samples: Sequence[bytes] | Sequence[str]) -> list[str]:
    """The digest of each sample."""
    if isinstance(samples, Pictures):
        return list(samples.digests)
    return [text_digest(text) for text in samples if isinstance(text, str)]


def _packed(texts: Sequence[str]) -> Entry:
    """Texts one after the other as bytes, and where each ends."""
    encoded = [text.encode(*ENCODING) for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    content = np.frombuffer(bytearray().join(encoded), dtype=np.uint8)
    return Entry({"bytes": content, "ends": ends}, {"label": f"{len(texts)} texts"})


@lru_cache(maxsize=2)
def _texts(key: str, store: Store) -> list[str]:
    entry = store.at(key)
    if entry is None:
        raise FileNotFoundError(
            "the texts of this run were removed from the store while they were needed; run again"
        )
    content = np.asarray(entry.arrays["bytes"]).tobytes()
    ends = np.asarray(entry.arrays["ends"]).tolist()
    starts = [0, *ends][:-1]
    return [
        content[start:end].decode(*ENCODING) for start, end in zip(starts, ends, strict=True)
    ]
