"""Augmented copies of pictures: seeded crops, mirror images and colour changes."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from pydantic import BaseModel, ConfigDict, Field

from features.pictures.decoding import decode

# Sides beyond this many pixels are scaled down first: networks take 224 to 512, and copies are made
# of the whole picture.
LARGEST = 640


class Augment(BaseModel):
    """What augmented copies of a picture look like, and what they are for.

    Each copy is cropped to a random part (the random-resized-crop of Szegedy et al., Going deeper
    with convolutions, 2015: a share of the area, sides in a proportion changed by 3/4 to 4/3),
    mirrored or not, and changed in brightness, contrast and saturation by random factors.

    Parameters
    ----------
    copies : of each picture, beside the plain one.
    crop : the smallest share of the area that a copy may show; 1 shows all of it.
    flip : whether half of the copies are mirrored, left to right.
    colour : the factors are within 1 - colour and 1 + colour; 0 changes nothing.
    test_copies : whether predictions are averaged over the plain picture and its copies.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    copies: int = Field(4, ge=1, le=64)
    crop: float = Field(0.5, gt=0, le=1)
    flip: bool = True
    colour: float = Field(0.2, ge=0, lt=1)
    test_copies: bool = False

    def augmented(self, picture: Image.Image, rng: np.random.Generator) -> Image.Image:
        """A random copy of an RGB picture."""
        picture = picture.crop(self._box(*picture.size, rng))
        if self.flip and rng.random() < 0.5:
            picture = ImageOps.mirror(picture)
        factors = rng.uniform(1 - self.colour, 1 + self.colour, 3)
        if self.colour:
            for change, factor in zip(
                (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color),
                factors,
                strict=True,
            ):
                picture = change(picture).enhance(factor)
        return picture

    def _box(self, width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the part shown."""
        if self.crop == 1:
            return 0, 0, width, height
        share = rng.uniform(self.crop, 1)
        stretch = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)) / 2)
        # A part that would be wider or higher than the picture is cut to it.
        shown_width = min(width, max(1, round(width * math.sqrt(share) * stretch)))
        shown_height = min(height, max(1, round(height * math.sqrt(share) / stretch)))
        left = int(rng.integers(width - shown_width + 1))
        top = int(rng.integers(height - shown_height + 1))
        return left, top, left + shown_width, top + shown_height


@dataclass(frozen=True, eq=False)
class AugmentedPictures(Sequence[bytes]):
    """m encoded pictures, then copy 1 of each as an encoded picture, and so on: m (1 + k) in all.

    Each is made when it is asked for. Copy c of a picture is random, but decided by the seed, c and
    the picture's bytes alone: neither its position nor the other pictures matter.
    """

    pictures: Sequence[bytes]
    augment: Augment
    seed: int

    def __len__(self) -> int:
        return len(self.pictures) * (1 + self.augment.copies)

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self[row] for row in range(*position.indices(len(self)))]
        copy, row = divmod(range(len(self))[position], len(self.pictures))
        encoded = self.pictures[row]
        return encoded if copy == 0 else self._copy(encoded, copy)

    def _copy(self, encoded: bytes, copy: int) -> bytes:
        digest = hashlib.sha256(f"{self.seed}/{copy}/".encode() + encoded).digest()
        picture = decode(encoded)
        picture.thumbnail((LARGEST, LARGEST))
        file = io.BytesIO()
        # Without loss and nearly without work: what reads it decodes it again at once.
        self.augment.augmented(picture, np.random.default_rng(list(digest))).save(file, "BMP")
        return file.getvalue()


def with_copies(pictures: Sequence[bytes], augment: Augment | None, seed: int) -> Sequence[bytes]:
    """The pictures, followed by their augmented copies where these are asked for."""
    return pictures if augment is None else AugmentedPictures(pictures, augment, seed)
