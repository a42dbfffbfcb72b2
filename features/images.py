"""Pictures: decoding anything Pillow reads to RGB, preparing it for a network, and batching.

Oddities are settled here once: EXIF orientation is applied, transparency is laid on white, 16-bit values
are scaled to 8 bits, of an animation the first frame counts, and what cannot be decoded in full is an
`UnreadablePicture`, never a silently grey or half picture.
"""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

PixelArray = NDArray[np.uint8]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

WORKERS = min(8, os.cpu_count() or 1)
# Batches being decoded while the network works on another one: enough to overlap, little to hold.
AHEAD = 2
# A strip longer than this many times its width is cut to it before a resize by the shorter side, which
# would otherwise blow a 1 x 50,000 picture up to gigabytes. The centre crop drops those ends anyway.
LONGEST = 8


class UnreadablePicture(ValueError):
    """Bytes that are not a complete, sensible picture; the message says why."""


_silence = threading.Lock()
_silenced: list[Any] = []


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings from leaking, also from many threads at once.

    `warnings.catch_warnings` alone restores the wrong filters when threads leave it out of order, so the
    first one in sets the filter and the last one out restores it.
    """
    with _silence:
        if not _silenced:
            guard = warnings.catch_warnings()
            guard.__enter__()
            warnings.simplefilter("ignore")
            _silenced.append(guard)
        _silenced.append(None)
    try:
        yield
    finally:
        with _silence:
            _silenced.pop()
            if len(_silenced) == 1:
                _silenced.pop().__exit__(None, None, None)


def decode(data: bytes) -> Image.Image:
    """Decode an encoded picture file, whatever its kind, to an upright RGB picture.

    Raises
    ------
    UnreadablePicture
        For bytes that are no picture, a truncated or damaged file, or one with more pixels than
        Pillow's limit against decompression bombs (`PIL.Image.MAX_IMAGE_PIXELS`).
    """
    if not len(data):
        raise UnreadablePicture("the file is empty")
    with _quiet():
        try:
            with Image.open(io.BytesIO(data)) as picture:
                _check_size(picture.width, picture.height)
                picture.load()
                return _to_rgb(_upright(picture))
        except (UnreadablePicture, MemoryError):
            raise
        except UnidentifiedImageError:
            start = bytes(data[:8])
            raise UnreadablePicture(f"not a picture in a known format (it starts with {start!r})") from None
        # Damaged files make Pillow's many decoders raise nearly every kind of exception.
        except Exception as error:
            raise UnreadablePicture(f"cannot be decoded: {str(error) or type(error).__name__}") from error


def check(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of a picture that decodes in full; raises `UnreadablePicture`."""
    return decode(data).size


def _check_size(width: int, height: int) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and width * height > limit:
        raise UnreadablePicture(f"{width} x {height} pixels are more than the limit of {limit} pixels")


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    # The pixels are good; only the metadata is damaged, so the picture stays as it is stored.
    except Exception:
        return picture


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        return Image.fromarray(_to_8_bits(np.asarray(picture))).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La", "P") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")


def _to_8_bits(values: NDArray[Any]) -> PixelArray:
    """Grey values of 16 bits, 32 bits or floats as uint8 (h, w).

    Whole numbers within 0..65535 are 16-bit values: 65535 becomes 255. Anything else has no agreed
    white, so its own range is stretched; what is not finite becomes black.
    """
    grey = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = grey.min(), grey.max()
    if values.dtype.kind in "iu" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    spread = max(high - low, np.finfo(np.float64).tiny)
    scaled: PixelArray = np.rint((grey - low) / spread * 255.0).astype(np.uint8)
    return scaled


@dataclass(frozen=True)
class Preparation:
    """How a picture becomes a network's input.

    Parameters
    ----------
    size : side of the square input in pixels.
    shorter_side : length the shorter side is resized to before the centre is cropped to `size`; None
        squeezes the whole picture into the square, so that nothing is cut off.
    interpolation : Pillow's resampling filter.
    mean, std : per channel, of values scaled to 0..1: the network sees (value - mean) / std.
    """

    size: int
    shorter_side: int | None
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def pixels(self, picture: Image.Image) -> PixelArray:
        """Resized and cropped RGB picture, uint8 (size, size, 3); the network's side scales it."""
        filter_ = Image.Resampling[self.interpolation.upper()]
        if self.shorter_side is None:
            return np.asarray(picture.resize((self.size, self.size), filter_))
        picture = _without_ends(picture)
        scale = self.shorter_side / min(picture.size)
        # Rounded down like torchvision's Resize, so that its weights meet the pixels they were made with.
        width, height = (max(self.shorter_side, int(side * scale + 1e-6)) for side in picture.size)
        picture = picture.resize((width, height), filter_)
        left, top = round((width - self.size) / 2), round((height - self.size) / 2)
        return np.asarray(picture.crop((left, top, left + self.size, top + self.size)))


def _without_ends(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    longest = LONGEST * min(width, height)
    if max(width, height) <= longest:
        return picture
    kept_width, kept_height = min(width, longest), min(height, longest)
    left, top = (width - kept_width) // 2, (height - kept_height) // 2
    return picture.crop((left, top, left + kept_width, top + kept_height))


def batches(
    pictures: Sequence[bytes], preparation: Preparation, size: int
) -> Iterator[tuple[int, PixelArray]]:
    """Decoded and prepared pictures in order, as (position of the first, uint8 (b, size, size, 3)).

    Threads decode the next batches while the caller works on the last one (Pillow frees the interpreter
    while it decodes), so at most a few batches of pixels exist at once. `pictures` may be any sequence
    that reads a picture when it is indexed, from any thread.

    Raises
    ------
    UnreadablePicture
        Naming the position of the picture that cannot be decoded.
    """
    def prepared(position: int) -> PixelArray:
        try:
            return preparation.pixels(decode(pictures[position]))
        except UnreadablePicture as error:
            raise UnreadablePicture(f"picture {position}: {error}") from error

    pending: deque[tuple[int, list[Future[PixelArray]]]] = deque()
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="decode")
    try:
        for start in range(0, len(pictures), size):
            stop = min(start + size, len(pictures))
            pending.append((start, [pool.submit(prepared, position) for position in range(start, stop)]))
            if len(pending) > AHEAD:
                yield _collected(*pending.popleft())
        while pending:
            yield _collected(*pending.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _collected(start: int, futures: list[Future[PixelArray]]) -> tuple[int, PixelArray]:
    return start, np.stack([future.result() for future in futures])
