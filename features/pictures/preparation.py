"""Pictures prepared for a network: resized, cropped, and in batches that threads decode ahead."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from features.machine.threads import ordered
from features.pictures.decoding import UnreadablePicture, decode
from features.pictures.resizing import Box, Interpolation, resized

PixelArray = NDArray[np.uint8]
Portion = tuple[PixelArray, int, range]  # a batch, the position of its first picture, some rows
Channels = tuple[float, float, float]  # a number for each of red, green and blue

# Batches being decoded while the network works on another one: enough to overlap, little to hold.
AHEAD = 2
# Pictures that a thread prepares in a row: handing over each by itself keeps the interpreter busy.
TOGETHER = 16
# Longer sides than this many times the shorter one are cut before a centre crop; a square needs
# less than twice.
LONGEST = 2


@dataclass(frozen=True)
class Preparation:
    """How a picture becomes a network's input.

    Parameters
    ----------
    size : side of the square input in pixels.
    shorter_side : length the shorter side is resized to before the centre is cropped to `size`,
        which is no larger; None squeezes the whole picture into the square, so that nothing is cut
        off.
    interpolation : resampling filter; see features.pictures.resizing.
    mean, std : per channel, of values scaled to 0..1: the network sees (value - mean) / std.
    """

    size: int
    shorter_side: int | None
    interpolation: Interpolation
    mean: Channels
    std: Channels

    def replaced(
        self,
        size: int | None,
        crop: float | Literal["none"] | None,
        interpolation: Interpolation | None,
        mean: Channels | None,
        std: Channels | None,
    ) -> Preparation:
        """The preparation with what is not None replaced.

        Parameters
        ----------
        crop : share of the shorter side that the central square keeps; "none" squeezes the whole
            picture into the square.
        """
        side = size or self.size
        share = self.size / self.shorter_side if crop is None and self.shorter_side else crop
        return Preparation(
            side,
            # Rounded so that the preparation's own share gives its own side again.
            None if share is None or share == "none" else int(side / float(share) + 1e-6),
            interpolation or self.interpolation,
            mean or self.mean,
            std or self.std,
        )

    def prepared(self, encoded: bytes) -> PixelArray:
        """An encoded picture file as the network's input, uint8 (size, size, 3)."""
        return self.pixels(decode(encoded, self.shorter_side or self.size))

    def pixels(self, picture: Image.Image) -> PixelArray:
        """Resized and cropped RGB picture, uint8 (size, size, 3); the network's side scales it."""
        if self.shorter_side is None:
            return resized(picture, self.size, self.size, self.interpolation)
        picture = _centre(picture)
        scale = self.shorter_side / min(picture.size)
        # Rounded down like torchvision's Resize, so that its weights meet the pixels they were made
        # with.
        width, height = (max(self.shorter_side, int(side * scale + 1e-6)) for side in picture.size)
        left, top = round((width - self.size) / 2), round((height - self.size) / 2)
        box = Box(left, top, self.size, self.size)
        return resized(picture, width, height, self.interpolation, box)


def _centre(picture: Image.Image) -> Image.Image:
    """The picture, of a long strip only its middle: the centre crop takes none of the rest."""
    shorter = min(picture.size)
    across, down = (max(0, side - LONGEST * shorter) // 2 for side in picture.size)
    return picture.crop((across, down, picture.width - across, picture.height - down))


def prepared(pictures: Sequence[bytes], position: int, preparation: Preparation) -> PixelArray:
    """A picture as uint8 (size, size, 3); an `UnreadablePicture` names its position."""
    try:
        return preparation.prepared(pictures[position])
    except UnreadablePicture as error:
        raise UnreadablePicture(f"picture {position}: {error}") from error


def batches(
    pictures: Sequence[bytes], preparation: Preparation, size: int
) -> Generator[tuple[int, PixelArray], None, None]:
    """Decoded and prepared pictures in order, as (position of the first, uint8 (b, size, size, 3)).

    Threads decode the next batches while the caller works on the last one (Pillow frees the
    interpreter while it decodes), so at most a few batches of pixels exist at once. `pictures` may
    be any sequence that reads a picture when it is indexed, from any thread.

    Raises
    ------
    UnreadablePicture
        Naming the position of the picture that cannot be decoded.
    """

    def fill(pixels: PixelArray, start: int, rows: range) -> None:
        for row in rows:
            pixels[row] = prepared(pictures, start + row, preparation)

    def portions() -> Iterator[Portion]:
        side = preparation.size
        for start in range(0, len(pictures), size):
            count = min(size, len(pictures) - start)
            pixels = np.empty((count, side, side, 3), np.uint8)
            for first in range(0, count, TOGETHER):
                yield pixels, start, range(first, min(first + TOGETHER, count))

    def filled(portion: Portion) -> Portion:
        fill(*portion)
        return portion

    ahead = AHEAD * -(-size // TOGETHER)
    with closing(ordered(filled, portions(), ahead=ahead)) as filled_portions:
        for pixels, start, rows in filled_portions:
            if rows.stop == len(pixels):
                yield start, pixels
