"""Decoding every odd picture file."""

from __future__ import annotations

import io
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from features.pictures import decoding
from features.pictures.decoding import UnreadablePicture, check, decode
from tests.support.picture_files import encoded, photograph

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def halves(left: object, right: object, mode: str = "RGB") -> Image.Image:
    """8 x 4 picture of two colours side by side."""
    picture = Image.new(mode, (8, 4), left)
    picture.paste(right, (4, 0, 8, 4))
    return picture


def corners(picture: Image.Image) -> tuple[object, object]:
    return picture.getpixel((0, 0)), picture.getpixel((picture.width - 1, picture.height - 1))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
def test_lossless_kinds_keep_their_pixels(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = decode(encoded(halves(RED, BLUE), kind, **options))
    assert (picture.mode, picture.size, corners(picture)) == ("RGB", (8, 4), (RED, BLUE))


def test_transparency_is_laid_on_white() -> None:
    picture = decode(encoded(halves((255, 0, 0, 255), (0, 0, 0, 0), "RGBA")))
    assert corners(picture) == (RED, WHITE)
    half = decode(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 127))))
    assert half.getpixel((0, 0)) == (128, 128, 128)


def test_grey_with_alpha() -> None:
    assert corners(decode(encoded(halves((0, 255), (0, 0), "LA")))) == ((0, 0, 0), WHITE)


def test_palette_with_and_without_a_transparent_colour() -> None:
    palette = Image.new("P", (8, 4), 0)
    palette.putpalette([*RED, *BLUE])
    palette.paste(1, (4, 0, 8, 4))
    assert corners(decode(encoded(palette))) == (RED, BLUE)
    assert corners(decode(encoded(palette, transparency=1))) == (RED, WHITE)
    assert corners(decode(encoded(palette, transparency=b"\xff\x00"))) == (RED, WHITE)


def test_transparent_colour_of_an_rgb_png() -> None:
    assert corners(decode(encoded(halves(RED, BLUE), transparency=BLUE))) == (RED, WHITE)


def test_grey_and_two_colours() -> None:
    assert corners(decode(encoded(halves(0, 200, "L")))) == ((0, 0, 0), (200, 200, 200))
    assert corners(decode(encoded(halves(0, 1, "1")))) == ((0, 0, 0), WHITE)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_not_cut_off(kind: str) -> None:
    values = np.array([[0, 10_000, 128 * 257, 65535]], dtype=np.uint16)
    picture = decode(encoded(Image.fromarray(values), kind))
    assert [picture.getpixel((x, 0))[0] for x in range(4)] == [0, 39, 128, 255]


def test_values_without_an_agreed_white_are_stretched() -> None:
    floats = np.array([[-1.0, 0.0, 1.0, np.nan]], dtype=np.float32)
    picture = decode(encoded(Image.fromarray(floats), "TIFF"))
    assert [picture.getpixel((x, 0))[0] for x in range(4)] == [0, 128, 255, 128]
    flat = decode(encoded(Image.fromarray(np.full((2, 2), 7.0, dtype=np.float32)), "TIFF"))
    assert flat.getpixel((0, 0)) == (0, 0, 0)


def test_cmyk_jpeg() -> None:
    picture = decode(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    red, green, blue = picture.getpixel((8, 8))
    assert red > 240
    assert max(green, blue) < 30


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_exif_orientation_is_applied(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: a quarter turn clockwise sets it upright
    picture = decode(encoded(halves(RED, BLUE).resize((80, 40)), kind, exif=exif))
    assert picture.size == (40, 80)
    assert picture.getpixel((20, 5))[0] > 200
    assert picture.getpixel((20, 75))[2] > 200


def test_damaged_exif_does_not_spoil_good_pixels() -> None:
    picture = decode(
        encoded(halves(RED, BLUE), "PNG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xffrubbish")
    )
    assert corners(picture) == (RED, BLUE)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation_counts(kind: str) -> None:
    frames = [Image.new("RGB", (8, 4), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert corners(picture) == (RED, RED)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file_is_unreadable(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = encoded(Image.fromarray(noise), kind)
    assert check(whole) == (64, 64)
    with pytest.raises(UnreadablePicture, match=r"cannot be decoded: \S|not a picture"):
        check(whole[:int(share * len(whole))])


def test_what_is_no_picture_is_named() -> None:
    with pytest.raises(UnreadablePicture, match="empty"):
        decode(b"")
    with pytest.raises(UnreadablePicture, match=r"not a picture.*it is a web page"):
        decode(b"  <!DOCTYPE HTML><html></html>")
    with pytest.raises(UnreadablePicture, match="pointer of Git LFS"):
        decode(b"version https://git-lfs.github.com/spec/v1\noid sha256:00")
    with pytest.raises(UnreadablePicture, match="base64"):
        decode(b"iVBORw0KGgoAAAANSUhEUgAA")


SECRETS = (b"root:x:0:0", b"P3 hunter2 4 255 ", b"P5\nhunter2", b"P6 8 8 hunter2 ",
           b"GIF89ahunter2", b"\x89PNG\r\n\x1a\n\0\0\0\5hunt", b"BMhunter2hunter2",
           b"/* XPM */ hunter2", b"II*\0\x08\0\0\0hunter2hunter2",
           b"#define hunter2_width 8\n", b"8BPShunter2hunter2")


@pytest.mark.parametrize("content", SECRETS)
def test_no_message_shows_what_a_file_holds(content: bytes) -> None:
    """A table may name any file, and messages stand in reports."""
    with pytest.raises(UnreadablePicture) as caught:
        decode(content + b"\n" * 40)
    assert "hunt" not in str(caught.value)
    assert "root" not in str(caught.value)


def test_too_many_pixels_are_an_error_and_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    large = encoded(Image.new("L", (40, 40)))
    # 1.6 times too many: Pillow would only warn
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnreadablePicture, match="40 x 40 pixels are more than the limit of 1000"):
        decode(large)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # more than twice too many: Pillow raises
    with pytest.raises(UnreadablePicture, match="decompression bomb"):
        decode(large)


def test_warnings_stay_inside_and_filters_come_back_with_many_threads() -> None:
    before = list(warnings.filters)
    barrier = threading.Barrier(4)

    def work(_: int) -> tuple[int, int]:
        barrier.wait(timeout=10)
        return check(encoded(Image.new("RGB", (8, 8))))

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(work, range(200))) == {(8, 8)}
    assert warnings.filters == before
    assert decoding._silenced == []


@given(st.binary(max_size=200), st.integers(0, 10**6))
@settings(max_examples=60)
def test_damaged_bytes_decode_or_are_unreadable(rubbish: bytes, where: int) -> None:
    whole = encoded(halves(RED, BLUE))
    start = where % len(whole)
    for damaged in (rubbish, whole[:start] + rubbish + whole[start + len(rubbish):]):
        with suppress(UnreadablePicture):
            assert decode(damaged).mode == "RGB"


@pytest.mark.parametrize(
    ("side", "size"),
    [
        (None, (1280, 854)),
        (320, (1280, 854)),
        (200, (640, 427)),
        (100, (320, 214)),
        (30, (160, 107)),
    ],
)
def test_a_jpeg_is_decoded_no_larger_than_needed(side: int | None, size: tuple[int, int]) -> None:
    picture = decode(photograph(1280, 854), side)
    assert picture.size == size
    assert side is None or min(picture.size) >= decoding.SPARE * side


def test_a_turned_jpeg_is_decoded_smaller_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.open(io.BytesIO(photograph(1280, 854)))
    assert decode(encoded(upright, "JPEG", exif=exif), 100).size == (214, 320)


def test_a_truncated_jpeg_is_unreadable_at_any_size() -> None:
    whole = photograph(640, 427)
    with pytest.raises(UnreadablePicture):
        decode(whole[:len(whole) // 2], 50)
