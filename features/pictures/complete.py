"""Whether a PNG file has all of its pixels: Pillow takes those that lack for black.

It tells a file that is cut off, but not image data that end before the last row within a file that
is otherwise whole, nor a palette that is not there.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

START = 8  # bytes of the signature
HEAD, CRC = 8, 4  # bytes before and behind what a chunk holds
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the colour type
AT_ONCE = 2**20  # bytes that are inflated together: all at once could fill the memory
# Where each pass of an interlaced picture begins, and how far apart its pixels are (PNG, W3C,
# section 8.2): x, y, and both steps.
PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
)
LAST = 2  # rows, in one of which every pass has its last pixels


def check_complete(picture: Image.Image, file: bytes) -> None:
    """Raise ValueError where a loaded PNG picture lacks pixels, or its palette.

    What lacks is zero, and stands at the end: others need no second look.
    """
    if picture.mode == "P" and picture.palette is None:
        raise ValueError("its palette is missing")
    width, height = picture.size
    last = np.asarray(picture.crop((0, max(0, height - LAST), width, height)))
    if last.reshape(len(last), -1).any(axis=1).all():
        return
    there, needed = _inflated(file), _size_of_rows(file)
    if there < needed:
        raise ValueError(f"its image data end early: {there:,} bytes of {needed:,}")


def _chunks(file: bytes) -> Iterator[tuple[bytes, memoryview]]:
    position, view = START, memoryview(file)
    while position + HEAD <= len(view):
        size, kind = struct.unpack_from(">I4s", view, position)
        yield kind, view[position + HEAD : position + HEAD + size]
        position += HEAD + size + CRC


def _inflated(file: bytes) -> int:
    """Bytes that the image data come to."""
    inflate, size = zlib.decompressobj(), 0
    for content in (content for kind, content in _chunks(file) if kind == b"IDAT"):
        rest: bytes | memoryview = content
        while len(rest) and not inflate.eof:
            size += len(inflate.decompress(rest, AT_ONCE))
            rest = inflate.unconsumed_tail
    return size + len(inflate.flush())


def _size_of_rows(file: bytes) -> int:
    """Bytes of all rows, each with the number of its filter before it."""
    header = next(content for kind, content in _chunks(file) if kind == b"IHDR")
    width, height, depth, colour, _, _, is_interlaced = struct.unpack(">IIBBBBB", header[:13])
    bits = depth * CHANNELS[colour]
    passes = PASSES if is_interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes)
    return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0)
