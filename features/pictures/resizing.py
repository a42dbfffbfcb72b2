"""Resizing pictures: torch's antialiased filters for 8 bits, several times as fast as Pillow's."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


def resized(
    picture: Image.Image, width: int, height: int, interpolation: Interpolation
) -> NDArray[np.uint8]:
    """An RGB picture at another size, uint8 (height, width, 3).

    Bilinear and bicubic are the filters of Pillow, widened where the picture becomes smaller, so
    that no pixel is passed over; few values differ from Pillow's, nearly all of them by 1. Each
    picture takes one thread. What torch does not have for 8 bits, Pillow does.
    """
    if interpolation not in ("bilinear", "bicubic"):
        return np.asarray(picture.resize((width, height), Image.Resampling[interpolation.upper()]))
    import torch
    from torch.nn.functional import interpolate

    # (h, w, 3) transposed is a channels-last (1, 3, h, w), for which the filters are written.
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    resampled = interpolate(pixels, size=(height, width), mode=interpolation, antialias=True)
    return np.ascontiguousarray(resampled[0].permute(1, 2, 0).numpy())
