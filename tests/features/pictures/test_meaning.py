"""Transparency and photometric meaning at every depth, against what other decoders say."""

from __future__ import annotations

import base64
import io
import itertools

import numpy as np
import pytest
import tifffile
from PIL import Image

from features.pictures.decoding import UnreadablePicture, as_png, decode
from tests.support.raw_pictures import raw_png, raw_tiff

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16),
          RGBA: (8, 16)}
KINDS = [*itertools.chain.from_iterable(itertools.product([c], DEPTHS[c]) for c in DEPTHS)]


def drawn(colour: int, depth: int, clear: bool) -> bytes:
    """A PNG file of random values, one of which (in palettes: each a little) is transparent."""
    rng = np.random.default_rng(depth + 100 * colour)
    values = rng.integers(0, 2**depth, (6, 9, CHANNELS[colour]))
    values[0, 0] = values[3, 4] = values.min(axis=(0, 1))  # dark: shown on white, it stands out
    chunks = {}
    if colour == PALETTE:
        chunks["PLTE"] = rng.integers(0, 256, (2**depth, 3)).astype(np.uint8).tobytes()
    if clear:
        entry = values[0, 0].astype(">u2").tobytes()
        alphas = rng.integers(0, 256, 2**depth).astype(np.uint8).tobytes()
        chunks["tRNS"] = alphas if colour == PALETTE else entry
    return raw_png(colour, depth, values, **chunks)


def by_resvg(file: bytes) -> np.ndarray:
    """RGB (h, w, 3) on white, as the PNG decoder of resvg has it, which is written in Rust."""
    resvg_py = pytest.importorskip("resvg_py")
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="6"><rect width="9" height="6" '
        'fill="white"/><image width="9" height="6" image-rendering="optimizeSpeed" '
        f'href="data:image/png;base64,{base64.b64encode(file).decode()}"/></svg>'
    )
    with Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=drawing)))) as drawn_again:
        return np.asarray(drawn_again.convert("RGB"), dtype=np.int64)


@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_png_of_every_kind_decodes_as_resvg_has_it(colour: int, depth: int, clear: bool) -> None:
    if clear and colour in (GREY_ALPHA, RGBA):
        pytest.skip("has an alpha channel of its own")
    file = drawn(colour, depth, clear)
    pixels = np.asarray(decode(file), dtype=np.int64)
    # of 16-bit values some round and some cut the lower byte off
    assert np.abs(pixels - by_resvg(file)).max() <= (depth == 16)
    if clear and colour != PALETTE:
        assert pixels[0, 0].min() == 255


def test_colours_that_differ_in_their_lower_byte_alone_are_not_transparent() -> None:
    values = np.full((2, 2, 3), 0x1234)
    values[1, 1] = 0x12FF
    file = raw_png(RGB, 16, values, tRNS=values[0, 0].astype(">u2").tobytes())
    assert np.asarray(decode(file))[..., 0].tolist() == [[255, 255], [255, 0x12]]


def test_a_transparent_grey_of_a_picture_in_memory_is_settled_too() -> None:
    file = raw_png(GREY, 2, np.array([[[1], [2]]]), tRNS=b"\0\1")
    with Image.open(io.BytesIO(file)) as picture:
        assert np.asarray(decode(as_png(picture)))[..., 0].tolist() == [[255, 170]]


@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack"])
@pytest.mark.parametrize("kind", ["bool", "u1", "u2", "f4", "u4", "i1", "i2", "i4"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_grey_tiff_of_every_kind_means_what_its_tags_say_or_is_refused(
    photometric: str, kind: str, order: str, compression: str | None
) -> None:
    rng = np.random.default_rng(0)
    most = {"bool": 1, "f4": 1}.get(kind) or np.iinfo(kind).max
    least = -most if kind.startswith("i") else 0
    values = (rng.random((12, 20)) * (float(most) - least) + least).round((kind != "f4" and 0) or 6)
    values[0, :2] = least, most
    file = io.BytesIO()
    depth = {"bitspersample": 1} if kind == "bool" else {}
    tifffile.imwrite(file, values.astype(kind), photometric=photometric, byteorder=order,
                     compression=compression, **depth)
    written = tifffile.imread(io.BytesIO(file.getvalue())).astype(np.float64)
    shares = (written - least) / (float(most) - least)
    expected = 1 - shares if photometric == "miniswhite" else shares
    try:
        pixels = np.asarray(decode(file.getvalue()))[..., 0]
    except UnreadablePicture:
        # Pillow reads no min-is-white of these, and no 32 bits of the other byte order
        assert kind in ("u4", "i1", "i2", "i4") or order == ">"
        return
    assert np.abs(pixels - 255 * expected).max() <= 1.01


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("depth", [1, 2, 4, 8, 12, 16])
def test_grey_tiff_of_every_depth_reaches_from_black_to_white(depth: int, photometric: int) -> None:
    values = np.random.default_rng(depth).integers(0, 2**depth, (4, 16))
    values[0, :2] = 0, 2**depth - 1
    shares = values / (2**depth - 1)
    try:
        pixels = np.asarray(decode(raw_tiff(depth, values, photometric)))[..., 0]
    except UnreadablePicture:
        assert (depth, photometric) == (12, 0)
        return
    expected = shares if photometric else 1 - shares
    assert np.abs(pixels - 255 * expected).max() <= 0.51


def test_a_compressed_tiff_that_pillow_would_garble_says_so() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.ones((4, 4), np.float32), byteorder=">", compression="deflate")
    with pytest.raises(UnreadablePicture, match="in this byte order would be decoded wrongly"):
        decode(file.getvalue())


@pytest.mark.parametrize("kind", ["grey 16", "tiff"])
def test_what_is_settled_keeps_which_way_is_up(kind: str) -> None:
    turned = Image.new("I;16", (6, 2))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    file = io.BytesIO()
    if kind == "tiff":
        turned.save(file, "TIFF", exif=exif)
    else:
        turned.save(file, "PNG", exif=exif, transparency=3)
    assert decode(file.getvalue()).size == (2, 6)
