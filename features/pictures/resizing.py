"""Resizing pictures: torch's antialiased filters for 8 bits, several times as fast as Pillow's."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


class Box(NamedTuple):
    """A part of a picture, in pixels from the left and the top."""

    left: int
    top: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )


def resized(
    picture: Image.Image, width: int, height: int, interpolation: Interpolation,
    box: Box | None = None,
) -> NDArray[np.uint8]:
    """An RGB picture at another size, uint8 (height, width, 3), or a box of it.

    Bilinear and bicubic are the filters of Pillow, widened where the picture becomes smaller, so
    that no pixel is passed over; few values differ from Pillow's, nearly all of them by 1. Each
    picture takes one thread. What torch does not have for 8 bits, Pillow does.
    """
    rows, columns = (box or Box(0, 0, width, height)).slices
    if interpolation not in ("bilinear", "bicubic"):
        whole = picture.resize((width, height), Image.Resampling[interpolation.upper()])
        return np.ascontiguousarray(np.asarray(whole)[rows, columns])
    import torch
    from torch.nn.functional import interpolate

    # (h, w, 3) transposed is a channels-last (1, 3, h, w), for which the filters are written.
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    resampled = interpolate(pixels, size=(height, width), mode=interpolation, antialias=True)
    # The filters give a map for each channel: only the box is brought into pixels, and that once
    # (a decoded picture of 200 pixels to 224: .29 ms, otherwise .41).
    part: NDArray[np.uint8] = resampled[0, :, rows, columns].permute(1, 2, 0).contiguous().numpy()
    return part
