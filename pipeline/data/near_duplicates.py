"""Pictures and texts that are nearly the same, though not byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.block import Modality
from features.machine.threads import ordered
from features.pictures.decoding import decode
from pipeline.data.dataset import Dataset, DistinctSamples
from pipeline.data.samples import NOUNS, Picture, reading_order
from pipeline.engine.progress import Tell, counted, step
from pipeline.store.keys import key_of
from pipeline.store.manifest import Entry
from pipeline.store.store import Store
from reports.wording import count

Pairs: TypeAlias = NDArray[np.int64]  # (p, 2), positions of distinct samples, the first smaller

VERSION = 3  # raised when other pairs come out
MOST = 20_000  # distinct samples that are compared, each with every other
# A perceptual hash of 16 x 16 signs: pictures that were scaled, brightened or compressed again
# differ in 2 to 14 of them, other pictures of one class in 30 and more (measured on emoji, product
# photos and CIFAR-10).
SIDE, MOST_BITS = 16, 16
BLOCK = 2048  # pictures compared with all others at once
# Texts share so much of their runs of SHINGLE letters (Jaccard): an edition, a size or a number
# differs, not the subject. Short ones do not tell: "ace of clubs" is not "ace of hearts".
SHINGLE, LEAST_SHARED, PERMUTATIONS = 5, 0.9, 128
LEAST_RUNS = 30


def near_duplicates(dataset: Dataset, store: Store) -> dict[Modality, Pairs]:
    """Pairs of distinct samples that are nearly the same, of each modality.

    Each sample is paired with the first before it that is like it, so that pairs are fewer than
    samples however many are alike; what is alike hangs together by them.

    Pictures by the distance of their perceptual hashes (imagehash: the signs of the lowest
    frequencies of a cosine transform), texts by the Jaccard similarity of their runs of letters,
    found through MinHash (Broder 1997; datasketch). They are kept in the store.
    """
    return {
        modality: _stored_pairs(modality, distinct, store)
        for modality, distinct in dataset.modalities.items()
    }


def _stored_pairs(modality: Modality, distinct: DistinctSamples, store: Store) -> Pairs:
    library = "imagehash" if modality == "image" else "datasketch"
    ingredients = {
        "kind": "near duplicates",
        "modality": modality,
        "samples": key_of({"digests": distinct.digests}),
        "check": VERSION,
        "library": [library, version(library)],
    }

    def compute() -> Entry:
        positions = np.arange(len(distinct.digests))
        if len(positions) > MOST:
            positions = np.linspace(0, len(positions) - 1, MOST).astype(np.int64)
        samples = [distinct.samples[position] for position in positions.tolist()]
        noun = f"{NOUNS[modality]}s"
        with step(f"look for {noun} that are nearly the same", len(samples), noun) as tell:
            if modality == "image":
                pairs = _similar_pictures(samples, tell)
            else:
                pairs = _similar_texts(samples, tell)
        label = f"near duplicates among {count(len(positions), 'distinct sample')}"
        return Entry({"pairs": positions[pairs.reshape(-1, 2)]}, {"label": label})

    return np.asarray(store.get(ingredients, compute).arrays["pairs"], dtype=np.int64)


def _similar_pictures(pictures: Sequence[Picture], tell: Tell) -> Pairs:
    """Pairs whose hashes differ in MOST_BITS at most."""
    if not len(pictures):
        return np.zeros((0, 2), dtype=np.int64)
    order = reading_order(pictures)
    hashed = ordered(_signs, (pictures[position] for position in order))
    in_order = np.stack(list(counted(hashed, tell)))
    signs = in_order[np.argsort(order)].astype(np.float32)
    pairs = []
    for start in range(0, len(signs), BLOCK):
        part = signs[start : start + BLOCK]
        # of signs +1 and -1 the product counts the equal ones less the others
        alike = (signs.shape[1] - part @ signs[: start + len(part)].T) / 2 <= MOST_BITS
        first = alike.argmax(axis=1)  # at the latest itself
        later = np.arange(start, start + len(part))
        pairs.append(np.stack([first, later], axis=1)[first < later])
    return np.concatenate(pairs).astype(np.int64)


def _signs(picture: Picture) -> NDArray[np.int8]:
    """The perceptual hash of a picture as signs: int8 (SIDE * SIDE,), +1 or -1."""
    import imagehash

    hashed = imagehash.phash(decode(picture.read()), hash_size=SIDE)
    return np.where(np.asarray(hashed.hash).ravel(), 1, -1).astype(np.int8)


def _similar_texts(texts: Sequence[str], tell: Tell) -> Pairs:
    """Pairs whose runs of letters have a Jaccard similarity of LEAST_SHARED at least."""
    from datasketch import MinHash, MinHashLSH

    shingles = [_shingles(text) for text in texts]
    index = MinHashLSH(threshold=LEAST_SHARED, num_perm=PERMUTATIONS)
    pairs = []
    for number, of_text in enumerate(counted(shingles, tell)):
        if len(of_text) < LEAST_RUNS:
            continue
        sketch = MinHash(PERMUTATIONS, seed=1)
        sketch.update_batch([shingle.encode() for shingle in of_text])
        first = _first_alike(index.query(sketch), of_text, shingles)
        if first is None:
            index.insert(number, sketch)
        else:  # whoever is like it is like the first, too
            pairs.append((first, number))
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def _first_alike(
    candidates: Iterable[int], of_text: frozenset[str], shingles: Sequence[frozenset[str]]
) -> int | None:
    alike = [
        other for other in candidates if _jaccard(shingles[other], of_text) >= LEAST_SHARED
    ]
    return min(alike, default=None)


def _shingles(text: str) -> frozenset[str]:
    """Runs of SHINGLE signs of the text's words; the whole of a text that is no longer."""
    words = " ".join(re.findall(r"\w+", text.casefold()))
    starts = range(max(1, len(words) - SHINGLE + 1)) if words else range(0)
    return frozenset(words[start : start + SHINGLE] for start in starts)


def _jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / len(first | second)
