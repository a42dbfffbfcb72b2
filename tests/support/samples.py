"""Small samples: pictures of three colours with texts of three vocabularies."""

from __future__ import annotations

import io
from itertools import chain

import numpy as np
from PIL import Image

from pipeline.data.samples import BytesPicture, Samples

WORDS = {"cat": "whiskers purr meow", "dog": "bark tail fetch", "car": "wheel engine road"}

COLOURS = ((200, 60, 60), (60, 200, 60), (60, 60, 200))


def png(seed: int, colour: tuple[int, int, int] = (200, 60, 60), size: int = 24) -> bytes:
    """A noisy picture of one main colour."""
    noise = np.random.default_rng(seed).integers(-40, 40, (size, size, 3))
    pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def coloured(count: int) -> list[bytes]:
    """Noisy pictures of the three colours in turn."""
    return [png(row, COLOURS[row % 3]) for row in range(count)]


def small_samples(per_class: int = 12, **changes) -> Samples:
    """Three classes whose pictures differ in colour and texts in words, with groups of two."""
    labels = list(chain.from_iterable([label] * per_class for label in WORDS))
    colours = dict(zip(WORDS, COLOURS, strict=True))
    rng = np.random.default_rng(0)
    columns = {
        "locations": [f"items.csv row {row + 1}" for row in range(len(labels))],
        "pictures": [
            BytesPicture(f"row {row + 1}", png(row, colours[label]))
            for row, label in enumerate(labels)
        ],
        "texts": [
            " ".join(rng.permutation([*WORDS[label].split(), f"item{row}", "the"]))
            for row, label in enumerate(labels)
        ],
        "labels": labels,
        "ids": [f"id{row}" for row in range(len(labels))],
        "groups": {"pair": [str(row // 2) for row in range(len(labels))]},
    }
    return Samples(**{**columns, **changes})
