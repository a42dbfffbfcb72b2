"""Pictures and texts that encoders are checked with: those they learn from, and odd ones."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from features.block import Modality

CANARY = "xylocanary"


def png(seed: int, size: tuple[int, int] = (40, 30)) -> bytes:
    """A picture of coloured patches."""
    noise = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(stream, "PNG")
    return stream.getvalue()


TRAINING: dict[Modality, list[Any]] = {
    "image": [png(seed) for seed in range(3)],
    "text": ["a red car on a road", "the blue bus", "a red apple", "grüne Äpfel", "红色 汽车", ""],
}
OTHERS: dict[Modality, list[Any]] = {
    "image": [png(10), png(11, (30, 50)), png(12, (1, 9))],
    "text": [
        "a blue car",
        "",
        "تفاحة حمراء",
        "😀🎉",
        "a\x00b\x07c \ud800",
        f"red {CANARY} " + "apple " * 30,
    ],
}
