"""Handcrafted picture features: colour, texture and shape, without any network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import AfterValidator, Field

from features.advance import advance
from features.block import Block, FloatArray, Modality
from features.encoder import Encoder
from features.machine.identity import versions
from features.machine.threads import ordered
from features.pictures.meaning import VERSION as DECODING
from features.pictures.preparation import PixelArray, Preparation, batches

Part = Literal["colour", "texture", "shape"]
NEIGHBOURS = 8  # of local binary patterns, at every radius: P + 2 = 10 uniform patterns
# Does not change results, so it is no parameter: it would enter the key.
BATCH_SIZE = 64


class _Squeezed(Preparation):
    """Pictures squeezed into a square by Pillow: networks' own filters come with torch.

    Both take the same time here (.2 ms of 4.8 for a picture of 500 x 375 pixels).
    """

    def pixels(self, picture: Image.Image) -> PixelArray:
        """See Preparation.pixels."""
        return np.asarray(picture.resize((self.size, self.size), Image.Resampling.BILINEAR))


def squeezed(size: int) -> Preparation:
    """How pictures become squares of this side in pixels."""
    return _Squeezed(size, None, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def _distinct_parts(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if not parts or len(set(parts)) != len(parts):
        raise ValueError(
            f"parts must be one or more of colour, texture, shape, each once, not {list(parts)}"
        )
    return parts


@dataclass(kw_only=True, eq=False, repr=False)
class Handcrafted(Encoder):
    """Colour histogram, local binary patterns and histograms of oriented gradients, side by side.

    The traditional baseline that a network has to beat. Learns nothing.

    - colour: joint histogram of the three channels (Swain and Ballard, Color indexing, 1991);
    - texture: histograms of uniform local binary patterns, which count how grey values change
      around each pixel, whatever the brightness and rotation (Ojala et al., Multiresolution
      gray-scale and rotation invariant texture classification with local binary patterns, 2002);
    - shape: histograms of oriented gradients over overlapping blocks of 2 x 2 cells (Dalal and
      Triggs, Histograms of oriented gradients for human detection, 2005).

    Colour and texture histograms are taken over grid x grid parts of the picture. Of each histogram
    entry the square root counts, so that dot products compare histograms by their Bhattacharyya
    coefficient; then each of the three has norm 1, so that they weigh the same.

    Parameters
    ----------
    parts : which of them, in this order of columns.
    size : the picture is squeezed into a square of this side in pixels.
    grid : colour and texture histograms to a side.
    colour_space : "hsv" or "rgb".
    colour_bins : bins of each of its channels.
    texture_radii : distances in pixels at which 8 neighbours are compared; one histogram of 10
        patterns each.
    shape_cells : HOG cells to a side.
    shape_orientations : HOG's bins of orientation over 180 degrees.
    """

    modality: ClassVar[Modality] = "image"
    version: ClassVar[int] = 3

    parts: Annotated[tuple[Part, ...], AfterValidator(_distinct_parts)] = (
        "colour",
        "texture",
        "shape",
    )
    size: Annotated[int, Field(ge=32, le=1024)] = 96
    grid: Annotated[int, Field(ge=1, le=8)] = 2
    colour_space: Literal["hsv", "rgb"] = "hsv"
    colour_bins: tuple[
        Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]
    ] = (8, 4, 4)
    texture_radii: Annotated[
        tuple[Annotated[int, Field(ge=1, le=8)], ...], Field(min_length=1)
    ] = (1, 3)
    shape_cells: Annotated[int, Field(ge=2, le=16)] = 8
    shape_orientations: Annotated[int, Field(ge=2)] = 9

    def identity(self) -> dict[str, Any]:
        """Versions of decoding and libraries."""
        return {
            "decoding": DECODING,
            "libraries": versions("scikit-image", "pillow", "numpy"),
        }

    @property
    def width(self) -> int:
        """Number of columns."""
        widths = {
            "colour": self.grid ** 2 * int(np.prod(self.colour_bins)),
            "texture": self.grid ** 2 * len(self.texture_radii) * (NEIGHBOURS + 2),
            "shape": (self.shape_cells - 1) ** 2 * 4 * self.shape_orientations,
        }
        return sum(widths[part] for part in self.parts)

    def transform(self, samples: Sequence[bytes]) -> Block:
        """Encode m picture files (bytes): float32 (m, d).

        Raises
        ------
        features.pictures.decoding.UnreadablePicture
            For a file that does not decode, naming its position.
        """
        values = np.empty((len(samples), self.width), dtype=np.float32)
        for start, pictures in batches(samples, squeezed(self.size), BATCH_SIZE):
            # By threads: scikit-image lets go of the interpreter where it counts. Two cores encode
            # 1.3 to 1.4 times as many pictures as one (python -m benchmarks.encoders).
            for row, features in enumerate(ordered(self._features, pictures), start):
                values[row] = features
            advance(start + len(pictures), len(samples), "samples")
        return Block.of(values)

    def _features(self, pixels: PixelArray) -> FloatArray:
        describe = {"colour": self._colour, "texture": self._texture, "shape": self._shape}
        parts = [describe[part](pixels) for part in self.parts]
        return np.concatenate([_unit(part) for part in parts]).astype(np.float32)

    def _colour(self, pixels: PixelArray) -> NDArray[np.float64]:
        if self.colour_space == "hsv":
            pixels = np.asarray(Image.fromarray(pixels).convert("HSV"))
        bins = np.zeros(pixels.shape[:2], dtype=np.int64)
        for channel, count in enumerate(self.colour_bins):
            bins = bins * count + pixels[:, :, channel].astype(np.int64) * count // 256
        return self._histograms(bins, int(np.prod(self.colour_bins)))

    def _texture(self, pixels: PixelArray) -> NDArray[np.float64]:
        from skimage.feature import local_binary_pattern

        grey = np.asarray(Image.fromarray(pixels).convert("L"))
        patterns = [
            local_binary_pattern(grey, NEIGHBOURS, radius, "uniform")
            for radius in self.texture_radii
        ]
        return np.concatenate(
            [self._histograms(codes.astype(np.int64), NEIGHBOURS + 2) for codes in patterns]
        )

    def _histograms(self, bins: NDArray[np.int64], count: int) -> NDArray[np.float64]:
        """Roots of the counts of 0..count-1 in each of the grid's parts, part after part."""
        parts: list[NDArray[np.int64]] = []
        for strip in np.array_split(bins, self.grid):
            parts += np.array_split(strip, self.grid, axis=1)
        counts = np.concatenate([np.bincount(part.ravel(), minlength=count) for part in parts])
        return np.asarray(np.sqrt(counts, dtype=np.float64))

    def _shape(self, pixels: PixelArray) -> NDArray[np.float64]:
        from skimage.feature import hog

        cell = self.size // self.shape_cells
        inside = pixels[:cell * self.shape_cells, :cell * self.shape_cells]
        return np.asarray(
            hog(inside, self.shape_orientations, (cell, cell), (2, 2), channel_axis=-1),
            dtype=np.float64,
        )


def _unit(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vector with norm 1; zeros (a picture without any edge) stay zeros."""
    return np.asarray(part / max(float(np.linalg.norm(part)), 1e-12))
