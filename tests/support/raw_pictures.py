"""PNG and TIFF files written value by value, at every depth."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def raw_png(colour: int, depth: int, values: np.ndarray, **chunks: bytes) -> bytes:
    """A PNG file of values (h, w, channels) as they are; `chunks` such as PLTE and tRNS."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + _packed(row.ravel(), depth) for row in values)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = {"IHDR": header, **chunks, "IDAT": zlib.compress(rows), "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts.items())


def raw_tiff(depth: int, values: np.ndarray, photometric: int) -> bytes:
    """A grey TIFF file, little-endian and uncompressed, of whole numbers (h, w)."""
    height, width = values.shape
    rows = b"".join(_packed(row, depth, "<u2") for row in values)
    tags = [(256, 3, width), (257, 3, height), (258, 3, depth), (259, 3, 1), (262, 3, photometric),
            (273, 4, 8), (277, 3, 1), (278, 3, height), (279, 4, len(rows))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    folder = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    padding = b"\0" * (len(rows) % 2)
    return b"II*\0" + struct.pack("<I", 8 + len(rows + padding)) + rows + padding + folder


def _packed(row: np.ndarray, depth: int, words: str = ">u2") -> bytes:
    if depth == 16:
        return row.astype(words).tobytes()
    bits = "".join(f"{int(value):0{depth}b}" for value in row)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _chunk(name: str, content: bytes) -> bytes:
    named = name.encode() + content
    return struct.pack(">I", len(content)) + named + struct.pack(">I", zlib.crc32(named))
