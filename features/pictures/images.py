"""Pictures: decoding anything Pillow reads to RGB, preparing it for a network, and batching.

Oddities are settled here once: EXIF orientation is applied, transparency is laid on white, 16-bit
values are scaled to 8 bits, of an animation the first frame counts, and what cannot be decoded in
full is an `UnreadablePicture`, never a silently grey or half picture.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from features.machine.cores import cores
from features.pictures.resizing import Interpolation, resized

PixelArray = NDArray[np.uint8]

Item = TypeVar("Item")
Made = TypeVar("Made")

WORKERS = min(16, cores())
# Batches being decoded while the network works on another one: enough to overlap, little to hold.
AHEAD = 2
# A JPEG file is decoded at a half, a quarter or an eighth where that leaves this many times the
# wanted side: the filter of the resize that follows then still has all the detail that it would
# keep.
SPARE = 2
# Longer sides than this many times the shorter one are cut before a centre crop; a square needs
# less than twice.
LONGEST = 2


class UnreadablePicture(ValueError):
    """Bytes that are not a complete, sensible picture; the message says why."""


_silence = threading.Lock()
_silenced: list[Any] = []


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings from leaking, also from many threads at once.

    `warnings.catch_warnings` alone restores the wrong filters when threads leave it out of order,
    so the first one in sets the filter and the last one out restores it.
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


def decode(data: bytes, side: int | None = None) -> Image.Image:
    """Decode an encoded picture file, whatever its kind, to an upright RGB picture.

    Parameters
    ----------
    side : pixels of the shorter side that are enough; a JPEG file may then be decoded smaller, but
        not below `SPARE` times this, which takes a fraction of the time. None for every pixel.

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
                if side is not None:
                    # does nothing for other kinds than JPEG
                    picture.draft(None, (SPARE * side, SPARE * side))
                picture.load()
                return _to_rgb(_upright(picture))
        except (UnreadablePicture, MemoryError):
            raise
        except UnidentifiedImageError:
            start = bytes(data[:8])
            raise UnreadablePicture(
                f"not a picture in a known format (it starts with {start!r})"
            ) from None
        # Damaged files make Pillow's many decoders raise nearly every kind of exception.
        except Exception as error:
            raise UnreadablePicture(
                f"cannot be decoded: {str(error) or type(error).__name__}"
            ) from error


def check(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of a picture that decodes in full; raises `UnreadablePicture`."""
    return decode(data).size


def _check_size(width: int, height: int) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and width * height > limit:
        raise UnreadablePicture(
            f"{width} x {height} pixels are more than the limit of {limit} pixels"
        )


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
    shorter_side : length the shorter side is resized to before the centre is cropped to `size`,
        which is no larger; None squeezes the whole picture into the square, so that nothing is cut
        off.
    interpolation : resampling filter; see features.pictures.resizing.
    mean, std : per channel, of values scaled to 0..1: the network sees (value - mean) / std.
    """

    size: int
    shorter_side: int | None
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def prepared(self, data: bytes) -> PixelArray:
        """An encoded picture file as the network's input, uint8 (size, size, 3)."""
        return self.pixels(decode(data, self.shorter_side or self.size))

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
        whole = resized(picture, width, height, self.interpolation)
        return np.ascontiguousarray(whole[top:top + self.size, left:left + self.size])


def _centre(picture: Image.Image) -> Image.Image:
    """The picture, of a long strip no more than its middle: the centre crop takes none of the rest."""
    shorter = min(picture.size)
    across, down = (max(0, side - LONGEST * shorter) // 2 for side in picture.size)
    return picture.crop((across, down, picture.width - across, picture.height - down))


def ordered(
    function: Callable[[Item], Made],
    items: Iterable[Item],
    workers: int = WORKERS,
    ahead: int = 2 * WORKERS,
) -> Generator[Made, None, None]:
    """`function` of each item, in order, computed by threads while the caller works on the ones before.

    Parameters
    ----------
    ahead : items begun beyond the one that is waited for: no more is ever held, however many items
        there are.
    """
    pending: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def prepared(pictures: Sequence[bytes], position: int, preparation: Preparation) -> PixelArray:
    """One of many pictures as uint8 (size, size, 3); an `UnreadablePicture` names its position."""
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
    with closing(
        ordered(
            lambda position: prepared(pictures, position, preparation),
            range(len(pictures)),
            ahead=size * AHEAD,
        )
    ) as pixels:
        for start in range(0, len(pictures), size):
            yield start, np.stack(list(islice(pixels, size)))
