"""PNG files whose image data end early, which Pillow fills up with black."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from features.pictures.complete import PASSES
from features.pictures.decoding import UnreadablePicture, decode

SIZES = [(1, 1), (2, 3), (7, 5), (8, 8), (13, 9)]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(
        ">I", zlib.crc32(kind + content))


def png(size, depth, colour, rows: bytes, interlaced: bool = False, palette: bool = True) -> bytes:
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced)
    plte = chunk(b"PLTE", bytes(range(48))) if colour == 3 and palette else b""
    data = zlib.compress(rows)
    middle = len(data) // 2  # in two chunks
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + plte + chunk(b"IDAT", data[:middle])
            + chunk(b"IDAT", data[middle:]) + chunk(b"IEND", b""))


def length(size, bits: int, interlaced: bool) -> int:
    """Bytes of the rows, counted pixel by pixel."""
    if not interlaced:
        return size[1] * (1 + (size[0] * bits + 7) // 8)
    total = 0
    for x, y, dx, dy in PASSES:
        columns = len(range(x, size[0], dx))
        total += len(range(y, size[1], dy)) * (1 + (columns * bits + 7) // 8) if columns else 0
    return total


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("depth", "colour"), [(1, 0), (4, 3), (8, 0), (8, 2), (8, 6), (16, 4)])
def test_black_pictures_are_whole_and_those_that_end_early_are_refused(depth, colour, interlaced):
    for size in SIZES:
        needed = length(size, depth * CHANNELS[colour], interlaced)
        whole = decode(png(size, depth, colour, bytes(needed), interlaced))
        assert whole.size == size
        # of one row Pillow says so itself
        end = f"end early: {needed - 1} bytes of {needed}|is truncated"
        with pytest.raises(UnreadablePicture, match=end):
            decode(png(size, depth, colour, bytes(needed - 1), interlaced))


def test_a_picture_that_lost_half_of_its_rows_is_refused_and_others_keep_their_pixels():
    rows = np.arange(1, 65, dtype=np.uint8).reshape(8, 8)
    stored = b"".join(b"\0" + row.tobytes() for row in rows)
    assert (np.asarray(decode(png((8, 8), 8, 0, stored)))[:, :, 0] == rows).all()
    with pytest.raises(UnreadablePicture, match="its image data end early: 36 bytes of 72"):
        decode(png((8, 8), 8, 0, stored[:36]))


def test_a_palette_that_is_missing_is_said():
    with pytest.raises(UnreadablePicture, match="its palette is missing"):
        decode(png((2, 1), 8, 3, b"\0\1\2", palette=False))
