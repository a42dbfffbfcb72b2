"""Decoding anything that Pillow reads to upright RGB pictures.

Oddities are settled here once: EXIF orientation is applied, transparency is laid on white, 16-bit
values are scaled to 8 bits, what files mean by their values is heeded (see `meaning`), of an
animation the first frame counts, and what cannot be decoded in full is an `UnreadablePicture`,
never a silently grey or half picture.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from features.pictures import meaning
from features.pictures.in_flight import PIXELS

# A JPEG file is decoded at a half, a quarter or an eighth where that leaves this many times the
# side that is needed: the filter of the resize that follows then still has all the detail that it
# would keep.
SPARE = 2
KINDS = {
    (b"<!doctype html", b"<html"): "it is a web page",
    (b"version https://git-lfs",): "it is a pointer of Git LFS: fetch the file itself",
    (b"data:", b"ivborw0kggo", b"/9j/"): "it is base64 text: decode it first",
}
QUOTED = re.compile(r"""b?(['"]).*\1""", re.DOTALL)  # bytes and texts in a message


# What is decoded. Others start programs (EPS: Ghostscript), are no pictures (HDF5, GRIB), or so
# rare that their decoders are hardly tested.
FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "QOI",
    "SGI", "TGA", "TIFF", "WEBP",
)


@cache
def _formats() -> tuple[str, ...]:
    """Those that this Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


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


def decode(encoded: bytes, side: int | None = None) -> Image.Image:
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
    if not len(encoded):
        raise UnreadablePicture("the file is empty")
    with _quiet():
        try:
            with Image.open(io.BytesIO(encoded), formats=_formats()) as picture:
                _check_size(picture.width, picture.height)
                if side is not None:
                    # does nothing for other kinds than JPEG
                    picture.draft(None, (SPARE * side, SPARE * side))
                with PIXELS.taken(picture.width * picture.height):
                    return _to_rgb(_upright(meaning.load(picture, encoded)))
        except (UnreadablePicture, MemoryError):
            raise
        except UnidentifiedImageError:
            raise UnreadablePicture(
                f"not a picture in a known format{_likely(bytes(encoded[:64]))}"
            ) from None
        # Damaged files make Pillow's many decoders raise nearly every kind of exception.
        except Exception as error:
            raise UnreadablePicture(f"cannot be decoded: {_reason(error)}") from error


def _likely(start: bytes) -> str:
    """What a file that is no picture may be, by its beginning, which is never shown.

    A table may name any file: what is in it must not come out with a message.
    """
    for beginnings, kind in KINDS.items():
        if start.lstrip().lower().startswith(beginnings):
            return f" ({kind})"
    return ""


def _reason(error: Exception) -> str:
    """What a decoder says, without what it quotes from the file."""
    return QUOTED.sub("...", str(error)) or type(error).__name__


def check(encoded: bytes) -> tuple[int, int]:
    """Width and height in pixels of a picture that decodes in full; raises `UnreadablePicture`."""
    return decode(encoded).size


def encoded(picture: object) -> bytes:
    """The file of a picture that is given as its bytes or in memory (see `as_png`).

    Raises
    ------
    UnreadablePicture
        Where a picture in memory is none.
    TypeError
        Where it is nothing that stands for a picture.
    """
    if isinstance(picture, bytes | bytearray | memoryview):
        return bytes(picture)
    if isinstance(picture, Image.Image | np.ndarray):
        return as_png(picture)
    raise TypeError(
        "a picture is a path, bytes, a picture of Pillow or a uint8 array, not "
        f"{type(picture).__name__}"
    )


def as_png(picture: Image.Image | NDArray[Any]) -> bytes:
    """A PNG file of a picture in memory, which decodes to the very pixels that it has.

    What `decode` settles of files (orientation, transparency, 16 bits) is settled before, so that
    the file is small and nothing is lost.

    Parameters
    ----------
    picture : of Pillow in any mode, or uint8 (height, width) or (height, width, 3).

    Raises
    ------
    UnreadablePicture
        For an array of another kind, and a picture whose pixels cannot be read.
    """
    if isinstance(picture, np.ndarray):
        picture = _of_array(picture)
    file = io.BytesIO()
    with _quiet():
        try:
            _check_size(picture.width, picture.height)
            # a fast level: the file is read again at once
            _to_rgb(_upright(meaning.load(picture))).save(file, "PNG", compress_level=1)
        except (UnreadablePicture, MemoryError):
            raise
        except Exception as error:
            raise UnreadablePicture(f"cannot be read: {_reason(error)}") from error
    return file.getvalue()


def _of_array(pixels: NDArray[Any]) -> Image.Image:
    is_picture = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not is_picture or not pixels.size:
        raise UnreadablePicture(
            f"an array of {pixels.dtype} {pixels.shape} is no picture: it must be uint8 of (height,"
            " width) or (height, width, 3)"
        )
    return Image.fromarray(np.ascontiguousarray(pixels))


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
        return Image.fromarray(meaning.to_8_bits(np.asarray(picture))).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La", "P") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")
