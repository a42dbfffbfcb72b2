"""What a file says its pixels mean, where Pillow does not apply it at every bit depth.

PNG (W3C, section 11.3.1.1): tRNS names a transparent grey value or colour in the file's own depth.
Pillow compares it with values that were scaled to 8 bits, or does not at all. TIFF (6.0):
PhotometricInterpretation 0 means that the least value is white, SampleFormat that values have a
sign or not; Pillow heeds these for some depths only.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from features.pictures.complete import check_complete

# Raised whenever pictures decode to other pixels than before: it is part of encoders' keys.
VERSION = 2

BITS_OF_GREY = {"1": 1, "L;2": 2, "L;4": 4, "L": 8}  # of Pillow's raw modes of PNG files
PHOTOMETRIC, BITS, COMPRESSION, SAMPLE_FORMAT = 262, 258, 259, 339  # tags of TIFF
MIN_IS_WHITE, UNCOMPRESSED, UNSIGNED, SIGNED = 0, 1, 1, 2


def load(picture: Image.Image, file: bytes | None = None) -> Image.Image:
    """Load a picture; where its kind means more than Pillow's mode says, as another.

    Parameters
    ----------
    picture : as `PIL.Image.open` gives it.
    file : its bytes, where they are known: colours of 16 bits are compared exactly.

    Returns
    -------
    The picture, or one with transparency as an alpha channel and grey values of 8 bits.

    Raises
    ------
    ValueError
        Where Pillow is known to decode it wrongly, or pixels lack.
    """
    raw_mode = _raw_mode(picture)
    picture.load()
    if picture.format == "PNG" and file is not None:
        check_complete(picture, file)
    if picture.format == "PNG" and "transparency" in picture.info and picture.mode != "P":
        return _with_alpha(picture, raw_mode, file)
    if picture.format == "TIFF":
        return _as_tiff_means(picture)
    return picture


def to_8_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey values of 16 bits, 32 bits or floats as uint8 (h, w).

    Whole numbers within 0..65535 are 16-bit values: 65535 becomes 255. Anything else has no agreed
    white, so its own range is stretched; what is not finite becomes black.
    """
    grey = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = grey.min(), grey.max()
    if values.dtype.kind in "iu" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    spread = max(high - low, np.finfo(np.float64).tiny)
    scaled: NDArray[np.uint8] = np.rint((grey - low) / spread * 255.0).astype(np.uint8)
    return scaled


def _raw_mode(picture: Image.Image) -> str:
    """How the file stores its pixels, in Pillow's words; empty once it is loaded."""
    tiles = getattr(picture, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    return arguments if isinstance(arguments, str) else str(arguments[0] if arguments else "")


def _with_alpha(picture: Image.Image, raw_mode: str, file: bytes | None) -> Image.Image:
    """A PNG picture with its transparent colour as an alpha channel."""
    colour = picture.info["transparency"]
    if isinstance(colour, bytes):  # alpha values: of a palette only
        return picture
    if picture.mode.startswith("I"):
        values = np.asarray(picture)
        grey, is_clear = Image.fromarray(to_8_bits(values)), values == colour
    elif picture.mode in ("1", "L"):
        grey = picture.convert("L")
        most = 2 ** BITS_OF_GREY.get(raw_mode, 8) - 1
        is_clear = np.asarray(grey) == (int(colour) & most) * 255 // most
    else:
        grey, is_clear = picture.convert("RGB"), _is_colour(picture, colour, raw_mode, file)
    alpha = Image.fromarray(np.where(is_clear, 0, 255).astype(np.uint8))
    settled = grey.convert("LA" if grey.mode == "L" else "RGBA")
    settled.putalpha(alpha)
    return _with_info(settled, picture)


def _is_colour(
    picture: Image.Image, colour: tuple[int, ...], raw_mode: str, file: bytes | None
) -> NDArray[np.bool_]:
    """Which pixels (h, w) have a colour, which is given in the file's own depth."""
    values, sought = np.asarray(picture.convert("RGB")), np.array(colour)
    if not raw_mode.endswith(";16B"):
        return np.asarray((values == sought & 0xFF).all(axis=2))
    is_colour = (values == sought >> 8).all(axis=2)
    if file is not None:  # the other byte of each value
        with Image.open(io.BytesIO(file)) as again:
            again.tile = [tile._replace(args="RGB;16L") for tile in again.tile]
            again.load()
            is_colour &= (np.asarray(again) == sought & 0xFF).all(axis=2)
    return np.asarray(is_colour)


def _as_tiff_means(picture: Image.Image) -> Image.Image:
    """A grey TIFF picture as its tags mean it; others as they are."""
    tags: Any = getattr(picture, "tag_v2", {})
    signed = SIGNED in tags.get(SAMPLE_FORMAT, ())
    if not (picture.mode[:1] in ("I", "F") or (picture.mode == "L" and signed)):
        return picture
    bits = tags.get(BITS, (1,))[0]
    is_foreign = tags.prefix == (b"MM" if sys.byteorder == "little" else b"II")
    if is_foreign and tags.get(COMPRESSION) != UNCOMPRESSED and picture.mode in ("I", "F"):
        raise ValueError(
            f"compressed TIFF values of {bits} bits in this byte order would be decoded wrongly; "
            "save it uncompressed"
        )
    values = np.asarray(picture)
    if picture.mode == "L":
        values = values.view(np.int8).astype(np.float64)
    elif bits == 32 and picture.mode == "I" and tags.get(SAMPLE_FORMAT, (1,))[0] == UNSIGNED:
        values = values.view(np.uint32)
    elif picture.mode.startswith("I;16") and bits < 16:
        values = values.astype(np.float64) / (2**bits - 1) * 65535
        values = np.rint(values).astype(np.uint16)
    if tags.get(PHOTOMETRIC) == MIN_IS_WHITE:
        values = 65535 - values if values.dtype == np.uint16 else -values.astype(np.float64)
    return _with_info(Image.fromarray(to_8_bits(values)), picture)


def _with_info(settled: Image.Image, picture: Image.Image) -> Image.Image:
    """The settled picture with what the file says besides, such as which way is up."""
    settled.info = {name: value for name, value in picture.info.items() if name != "transparency"}
    return settled
