"""Decoding every odd picture file, preparing pictures, and batching them."""

from __future__ import annotations

import io
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from features.pictures import images
from features.pictures.images import (
    PixelArray,
    Preparation,
    UnreadablePicture,
    batches,
    check,
    decode,
    ordered,
)
from features.pictures.resizing import resized

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


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
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_truncated_file_is_unreadable(kind: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = encoded(Image.fromarray(noise), kind)
    assert check(whole) == (64, 64)
    with pytest.raises(UnreadablePicture, match=r"cannot be decoded: \S|not a picture"):
        check(whole[:int(kept * len(whole))])


def test_what_is_no_picture_is_named() -> None:
    with pytest.raises(UnreadablePicture, match="empty"):
        decode(b"")
    with pytest.raises(UnreadablePicture, match=r"not a picture.*<html>"):
        decode(b"<html></html>")


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
    assert images._silenced == []


@given(st.binary(max_size=200), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_damaged_bytes_decode_or_are_unreadable(rubbish: bytes, where: int) -> None:
    whole = encoded(halves(RED, BLUE))
    place = where % len(whole)
    for data in (rubbish, whole[:place] + rubbish + whole[place + len(rubbish):]):
        with suppress(UnreadablePicture):
            assert decode(data).mode == "RGB"


def squeezed(size: int = 4) -> Preparation:
    return Preparation(size, None, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def cropped(size: int, shorter_side: int) -> Preparation:
    return Preparation(size, shorter_side, "bilinear", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_squeezing_keeps_both_ends_and_cropping_the_centre() -> None:
    strip = Image.new("RGB", (30, 10), GREEN)
    strip.paste(RED, (0, 0, 5, 10))
    strip.paste(BLUE, (25, 0, 30, 10))
    whole = squeezed(12).pixels(strip)
    assert whole.shape == (12, 12, 3)
    assert whole[6, 0].argmax() == 0
    assert whole[6, -1].argmax() == 2
    assert (cropped(10, 10).pixels(strip) == GREEN).all()


@given(st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_every_size_of_picture_can_be_prepared(width: int, height: int) -> None:
    picture = Image.new("RGB", (width, height), RED)
    for preparation in (squeezed(7), cropped(7, 9)):
        pixels = preparation.pixels(picture)
        assert pixels.shape == (7, 7, 3)
        assert (pixels == RED).all()


def test_a_long_strip_is_not_blown_up(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def watched(picture: Image.Image, *size: Any) -> PixelArray:
        sizes.append(size)
        return resized(picture, *size)

    monkeypatch.setattr(images, "resized", watched)
    for strip in (Image.new("RGB", (50_000, 1), RED), Image.new("RGB", (1, 50_000), RED)):
        assert (cropped(224, 256).pixels(strip) == RED).all()
    assert sizes == [(512, 256, "bilinear"), (256, 512, "bilinear")]


@pytest.mark.parametrize("side", [5, 9, 10])
def test_the_middle_of_a_strip_stays_in_the_middle(side: int) -> None:
    strip = Image.new("RGB", (101 if side % 2 else 100, side), GREEN)
    strip.paste(RED, ((strip.width - side) // 2, 0, (strip.width + side) // 2, side))
    assert (cropped(side, side).pixels(strip) == RED).all()


@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))), st.integers(1, 50),
       st.integers(1, 50), st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]))
@settings(max_examples=100, deadline=None)
def test_resizing_is_pillows_but_for_rounding(
    values: PixelArray, width: int, height: int, filter_: Any
) -> None:
    picture = Image.fromarray(values)
    found = resized(picture, width, height, filter_).astype(int)
    theirs = np.asarray(picture.resize((width, height), Image.Resampling[filter_.upper()])).astype(
        int
    )
    assert found.shape == (height, width, 3)
    # Bicubic overshoots: where it leaves the range between the two directions, more than rounding
    # differs.
    assert np.quantile(np.abs(found - theirs), 0.9) <= 1
    assert np.abs(found - theirs).mean() < 1


def photograph(width: int, height: int) -> bytes:
    from sklearn.datasets import load_sample_image

    return encoded(
        Image.fromarray(load_sample_image("flower.jpg")).resize((width, height)), "JPEG", quality=90
    )


@pytest.mark.parametrize(("side", "size"), [(None, (1280, 854)), (320, (1280, 854)), (200, (640, 427)),
                                            (100, (320, 214)), (30, (160, 107))])
def test_a_jpeg_is_decoded_no_larger_than_needed(side: int | None, size: tuple[int, int]) -> None:
    picture = decode(photograph(1280, 854), side)
    assert picture.size == size
    assert side is None or min(picture.size) >= images.SPARE * side


@pytest.mark.parametrize("preparation", [squeezed(64), cropped(64, 72)])
def test_a_jpeg_decoded_smaller_looks_the_same(preparation: Preparation) -> None:
    data = photograph(1280, 854)
    small, whole = (
        preparation.prepared(data).astype(float),
        preparation.pixels(decode(data)).astype(float),
    )
    assert decode(data, preparation.shorter_side or preparation.size).width < 1280
    assert np.abs(small - whole).mean() < 1.5  # of 255


def test_a_turned_jpeg_is_decoded_smaller_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.open(io.BytesIO(photograph(1280, 854))), "JPEG", exif=exif)
    assert decode(data, 100).size == (214, 320)


def test_a_truncated_jpeg_is_unreadable_at_any_size() -> None:
    data = photograph(640, 427)
    with pytest.raises(UnreadablePicture):
        decode(data[:len(data) // 2], 50)


def test_preparation_equals_the_weights_own_transforms() -> None:
    from sklearn.datasets import load_sample_image
    from torchvision import models

    from features.networks.pretrained import pretrained

    picture = Image.fromarray(load_sample_image("flower.jpg"))
    for model in ("resnet50", "convnext_tiny", "vit_b_16"):
        preparation = pretrained(model, "random").preparation
        reference = models.get_model_weights(model).DEFAULT.transforms()(picture).numpy()
        scaled = preparation.pixels(picture) / 255.0
        mine = (scaled - np.array(preparation.mean)) / np.array(preparation.std)
        difference = np.abs(mine.transpose(2, 0, 1) - reference)
        # torch's filters round a few values to the next of the 256 levels.
        assert difference.max() <= 1 / 255 / min(preparation.std) + 1e-5
        assert (difference > 1e-5).mean() < 2e-3


def test_batches_come_in_order_and_only_a_few_are_read_ahead() -> None:
    reads: list[int] = []

    class Lazy:
        def __len__(self) -> int:
            return 100

        def __getitem__(self, position: int) -> bytes:
            reads.append(position)
            return encoded(Image.new("RGB", (4, 4), (position, 0, 0)))

    seen = []
    for start, pixels in batches(Lazy(), squeezed(4), 3):  # type: ignore[arg-type]
        assert len(reads) <= start + 3 * (images.AHEAD + 1)
        seen += [(start + offset, int(pixels[offset, 0, 0, 0])) for offset in range(len(pixels))]
    assert seen == [(position, position) for position in range(100)]


def test_ordered_begins_only_a_few_items_ahead_and_keeps_their_order() -> None:
    begun: list[int] = []
    made = ordered(lambda item: begun.append(item) or item * item, range(50), workers=3, ahead=4)
    for position, square in enumerate(made):
        assert square == position * position
        assert len(begun) <= position + 1 + 4
    assert sorted(begun) == list(range(50))


def test_batches_of_nothing() -> None:
    assert list(batches([], squeezed(), 3)) == []


def test_an_unreadable_picture_is_named_by_position_and_no_thread_stays() -> None:
    good = encoded(Image.new("RGB", (4, 4)))
    with pytest.raises(UnreadablePicture, match="picture 4: the file is empty"):
        list(batches([good, good, good, good, b"", good], squeezed(), 2))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]
