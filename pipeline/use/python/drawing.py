"""What a notebook shows of an explanation: HTML that needs no script, style sheet or network."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RED = np.array([214.0, 39.0, 40.0])
STRONGEST = 0.75  # share of the colour where the weight is highest
FULL = 4  # times an even share that is shown as strong as can be: even weights look pale


def strengths(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """How strongly to show weights, from 0 to 1: as they are to the highest of them."""
    most = max(float(weights.max()), min(1.0, FULL / weights.size))
    return np.asarray(weights / most)


def heat_map(picture: NDArray[np.uint8], regions: NDArray[np.float64] | None) -> bytes:
    """A PNG file of a picture (h, w, 3) under the colours of regions (rows, columns)."""
    pixels = picture.astype(np.float64)
    if regions is not None:
        height, width = picture.shape[:2]
        rows = np.arange(height) * regions.shape[0] // height
        columns = np.arange(width) * regions.shape[1] // width
        share = STRONGEST * strengths(regions)[np.ix_(rows, columns)][..., None]
        pixels = (1 - share) * pixels + share * RED
    file = io.BytesIO()
    Image.fromarray(np.rint(pixels).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def page(
    title: str,
    figures: Mapping[str, Mapping[str, float]],
    picture: bytes | None,
    words: Sequence[tuple[str, float]],
) -> str:
    """A title, a line for each of the figures that there are, a PNG file, and weighed words."""
    lines = [f"<strong>{escape(title)}</strong>"]
    lines += [
        f"{escape(name)}: "
        + ", ".join(f"{escape(key)} {value:+.3f}" for key, value in values.items())
        for name, values in figures.items() if values
    ]
    if picture is not None:
        encoded = base64.b64encode(picture).decode()
        lines.append(f'<img alt="Weights of regions" src="data:image/png;base64,{encoded}">')
    if words:
        lines.append(_coloured(words))
    return "<div>" + "<br>".join(lines) + "</div>"


def _coloured(words: Iterable[tuple[str, float]]) -> str:
    names, weights = zip(*words, strict=True)
    shades = STRONGEST * strengths(np.array(weights))
    colour = ", ".join(f"{part:.0f}" for part in RED)
    return " ".join(
        f'<span style="background: rgba({colour}, {shade:.2f})" title="{100 * weight:.1f} %">'
        f"{escape(name)}</span>"
        for name, weight, shade in zip(names, weights, shades, strict=True)
    )
