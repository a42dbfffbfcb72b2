"""Preparing pictures, and batching them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from features.pictures import preparation
from features.pictures.decoding import UnreadablePicture, decode
from features.pictures.preparation import PixelArray, Preparation, batches
from features.pictures.resizing import resized
from tests.support.picture_files import encoded, photograph

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


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
@settings(max_examples=60)
def test_every_size_of_picture_can_be_prepared(width: int, height: int) -> None:
    picture = Image.new("RGB", (width, height), RED)
    for way in (squeezed(7), cropped(7, 9)):
        pixels = way.pixels(picture)
        assert pixels.shape == (7, 7, 3)
        assert (pixels == RED).all()


def test_a_long_strip_is_not_blown_up(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def watched(picture: Image.Image, *size: Any) -> PixelArray:
        sizes.append(size[:3])
        return resized(picture, *size)

    monkeypatch.setattr(preparation, "resized", watched)
    for strip in (Image.new("RGB", (50_000, 1), RED), Image.new("RGB", (1, 50_000), RED)):
        assert (cropped(224, 256).pixels(strip) == RED).all()
    assert sizes == [(512, 256, "bilinear"), (256, 512, "bilinear")]


@pytest.mark.parametrize("side", [5, 9, 10])
def test_the_middle_of_a_strip_stays_in_the_middle(side: int) -> None:
    strip = Image.new("RGB", (101 if side % 2 else 100, side), GREEN)
    strip.paste(RED, ((strip.width - side) // 2, 0, (strip.width + side) // 2, side))
    assert (cropped(side, side).pixels(strip) == RED).all()


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))),
    st.integers(1, 50),
    st.integers(1, 50),
    st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]),
)
@settings(max_examples=100)
def test_resizing_is_pillows_but_for_rounding(
    values: PixelArray, width: int, height: int, filter_: Any
) -> None:
    picture = Image.fromarray(values)
    ours = resized(picture, width, height, filter_).astype(int)
    pillows = picture.resize((width, height), Image.Resampling[filter_.upper()])
    theirs = np.asarray(pillows).astype(int)
    assert ours.shape == (height, width, 3)
    # Bicubic overshoots: where it leaves the range between the two directions, more than rounding
    # differs.
    assert np.quantile(np.abs(ours - theirs), 0.9) <= 1
    assert np.abs(ours - theirs).mean() < 1


@pytest.mark.parametrize("way", [squeezed(64), cropped(64, 72)])
def test_a_jpeg_decoded_smaller_looks_the_same(way: Preparation) -> None:
    file = photograph(1280, 854)
    small, whole = (
        way.prepared(file).astype(float),
        way.pixels(decode(file)).astype(float),
    )
    assert decode(file, way.shorter_side or way.size).width < 1280
    assert np.abs(small - whole).mean() < 1.5  # of 255


def test_preparation_equals_the_weights_own_transforms() -> None:
    from sklearn.datasets import load_sample_image
    from torchvision import models

    from features.networks.pretrained import pretrained

    picture = Image.fromarray(load_sample_image("flower.jpg"))
    for model in ("resnet50", "convnext_tiny", "vit_b_16"):
        own_way = pretrained(model, "random").preparation
        reference = models.get_model_weights(model).DEFAULT.transforms()(picture).numpy()
        scaled = own_way.pixels(picture) / 255.0
        mine = (scaled - np.array(own_way.mean)) / np.array(own_way.std)
        difference = np.abs(mine.transpose(2, 0, 1) - reference)
        # torch's filters round a few values to the next of the 256 levels.
        assert difference.max() <= 1 / 255 / min(own_way.std) + 1e-5
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
        assert len(reads) <= start + 3 * (preparation.AHEAD + 1)
        seen += [(start + offset, int(pixels[offset, 0, 0, 0])) for offset in range(len(pixels))]
    assert seen == [(position, position) for position in range(100)]


def test_batches_of_nothing() -> None:
    assert list(batches([], squeezed(), 3)) == []


def test_an_unreadable_picture_is_named_by_position_and_no_thread_stays() -> None:
    good = encoded(Image.new("RGB", (4, 4)))
    with pytest.raises(UnreadablePicture, match="picture 4: the file is empty"):
        list(batches([good, good, good, good, b"", good], squeezed(), 2))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]
